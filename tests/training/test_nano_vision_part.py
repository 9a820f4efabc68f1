"""Training nano's vision tower: what its scenes say, how pictures become patches, what its loss wants."""

import numpy as np
import torch
from PIL import Image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from step1x_edit.training.nano.naming_scenes import CELL_PX, NAMELESS, UNDECIDED, NamingScenes
from step1x_edit.training.nano.vision_part import NamingHead, picture_patches


def scenes() -> NamingScenes:
    """A grey photograph, a red disc called ball and a blue square called box."""
    photo = np.full((150, 200, 3), 128, np.uint8)
    rows, columns = np.mgrid[:80, :80] - 39.5
    ball = np.zeros((80, 80, 4), np.uint8)
    ball[rows**2 + columns**2 < 39**2] = (220, 30, 30, 255)
    box = np.full((60, 60, 4), (30, 30, 220, 255), np.uint8)
    return NamingScenes(["ball", "box"], [photo], {"ball": [ball], "box": [box]}, seed=3)


def test_labels_say_what_each_cell_shows() -> None:
    maker = scenes()
    for scene in (maker.make(3, 4) for _ in range(40)):
        assert scene.picture.shape == (3 * CELL_PX, 4 * CELL_PX, 3)
        colour = scene.picture.reshape(3, CELL_PX, 4, CELL_PX, 3).mean(axis=(1, 3))
        redness = colour[..., 0] - colour[..., 2]
        assert (np.abs(redness[scene.labels == NAMELESS]) < 25).all()
        assert (redness[scene.labels == 1] > 0).all()
        assert (redness[scene.labels == 2] < 0).all()
        assert set(np.unique(scene.labels)) <= {UNDECIDED, NAMELESS, 1, 2}


def test_same_seed_makes_same_scenes() -> None:
    first, second = scenes().make(4, 4), scenes().make(4, 4)
    assert np.array_equal(first.picture, second.picture)
    assert np.array_equal(first.labels, second.labels)


def test_patches_are_those_of_the_image_processor() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (84, 140, 3), dtype=np.uint8)
    size = {"shortest_edge": 9408, "longest_edge": 12544}
    theirs = Qwen2VLImageProcessorPil()(images=[Image.fromarray(picture)], size=size, return_tensors="pt")
    ours, grid = picture_patches(picture[None])
    assert torch.equal(grid, theirs["image_grid_thw"])
    assert torch.allclose(ours, theirs["pixel_values"], atol=1e-6)


def test_a_token_equal_to_a_name_is_called_so_and_costs_least() -> None:
    torch.manual_seed(0)
    names, typical = torch.randn(5, 16), torch.randn(16)
    head = NamingHead(names, typical)
    labels = torch.arange(1, 6)
    assert torch.equal(head(names).argmax(dim=1), labels)
    assert head.loss(names, labels) < head.loss(names.roll(1, 0), labels)


def test_undecided_tokens_have_no_part_in_naming() -> None:
    torch.manual_seed(0)
    head = NamingHead(torch.randn(5, 16), torch.zeros(16))
    tokens = torch.randn(3, 16)
    others = tokens.clone()
    others[2] = others[2].flip(0)
    labels = torch.tensor([1, 0, UNDECIDED])
    assert torch.allclose(head.loss(tokens, labels), head.loss(others, labels), atol=1e-6)
