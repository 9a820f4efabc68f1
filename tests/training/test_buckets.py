"""A pair is trained in the frame that the pipeline would give it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from drawn_pairs import mask_of, scene
from hypothesis import given, settings
from hypothesis import strategies as st

from step1x_edit.errors import DataError
from step1x_edit.pipeline.geometry import exact_frame
from step1x_edit.training.buckets import aspect_difference, frame_of, framed
from step1x_edit.training.pairs import TrainingPair

SIDES = st.integers(64, 2000)
LEVELS = st.sampled_from([128, 512, 1024])


def pair_of(size, *, reference=True, mask=None) -> TrainingPair:
    picture = scene(0, size)
    return TrainingPair(
        id="0",
        reference=picture if reference else None,
        target=picture,
        instructions={"en": "x"},
        mask=mask,
        origin="it",
    )


@settings(max_examples=60, deadline=None)
@given(width=SIDES, height=SIDES, level=LEVELS)
def test_an_editing_pair_lies_as_in_the_pipeline(width, height, level):
    frame = frame_of((width, height), size_level=level, has_reference=True)
    assert frame == exact_frame(width, height, size_level=level)
    assert aspect_difference(frame.content, (width, height)) < 2 / min(frame.content)


@settings(max_examples=60, deadline=None)
@given(width=SIDES, height=SIDES, level=LEVELS)
def test_a_text_to_image_target_covers_its_grid_unbent_and_loses_less_than_a_token(width, height, level):
    frame = frame_of((width, height), size_level=level, has_reference=False)
    assert frame.content == frame.canvas and not any(side % 16 for side in frame.canvas)
    assert aspect_difference(frame.original, frame.canvas) <= 1 / min(frame.original) + 1e-9
    scale = min(canvas / kept for canvas, kept in zip(frame.canvas, frame.original, strict=True))
    lost = [(whole - kept) * scale for whole, kept in zip((width, height), frame.original, strict=True)]
    # Both sides are floored to tokens, so the shape can be off by one token of either.
    assert min(lost) < scale + 1 and max(lost) <= 16 * max(frame.canvas) / min(frame.canvas) + 16


def test_shares_of_tokens_follow_the_mask_and_its_reflection():
    mask = np.zeros((56, 64), dtype=bool)
    mask[48:, :16] = True
    pair = framed(pair_of((64, 56), mask=mask), size_level=60)
    assert pair.frame.canvas == (64, 64) and pair.frame.content == (64, 56)
    assert pair.changed is not None
    # The lowest 8 rows are reflected downwards.
    expected = torch.zeros(4, 4)
    expected[3, 0] = 1
    assert torch.equal(pair.changed.view(4, 4), expected)


@pytest.mark.parametrize("size", [(97, 96), (96, 97), (192, 192)])
def test_a_reference_of_nearly_the_targets_shape_is_taken(size):
    pair = pair_of((96, 96))
    other = TrainingPair(
        id="0", reference=scene(0, size), target=pair.target, instructions={}, mask=None, origin="the pair"
    )
    assert framed(other, size_level=96).frame.canvas == (96, 96)


def test_another_shape_is_refused_with_both_sizes():
    pair = pair_of((96, 96))
    other = TrainingPair(
        id="0", reference=scene(0, (96, 88)), target=pair.target, instructions={}, mask=None, origin="the pair"
    )
    with pytest.raises(DataError, match="the pair, where the reference image has 96 x 88 px and the target 96 x 96"):
        framed(other, size_level=96)
    with pytest.raises(DataError, match="the mask has 96 x 48 px"):
        framed(pair_of((96, 96), mask=np.asarray(mask_of((96, 48))) > 0), size_level=96)
