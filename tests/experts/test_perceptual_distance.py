"""The perceptual distance as a loss, on toy files of the real form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from toy_perception import write_toy_perception

from step1x_edit.experts.perceptual_distance import BLOCKS, PerceptualDistance


@pytest.fixture(scope="module")
def perception(tmp_path_factory: pytest.TempPathFactory) -> PerceptualDistance:
    folder = tmp_path_factory.mktemp("perception")
    write_toy_perception(folder / "features.h5", folder / "weights.pth")
    return PerceptualDistance(features=folder / "features.h5", weights=folder / "weights.pth")


def pictures(seed: int) -> torch.Tensor:
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_only_the_picture_that_was_made_gets_a_gradient(perception: PerceptualDistance) -> None:
    made, wanted = pictures(0).requires_grad_(), pictures(1).requires_grad_()
    perception.loss(made, wanted, blocks=3).backward()
    assert wanted.grad is None
    assert made.grad is not None and made.grad.isfinite().all() and made.grad.abs().max() > 0


def test_equal_pictures_lose_nothing_and_a_step_downhill_comes_nearer(perception: PerceptualDistance) -> None:
    made, wanted = pictures(0).requires_grad_(), pictures(1)
    assert float(perception.loss(wanted, wanted, blocks=3)) == 0
    loss = perception.loss(made, wanted, blocks=3)
    loss.backward()
    assert made.grad is not None
    nearer = (made - 0.01 * made.grad / made.grad.abs().max()).detach()
    assert float(perception.loss(nearer, wanted, blocks=3)) < float(loss.detach())


def test_each_depth_adds_to_the_loss_and_all_of_them_make_the_mean_of_the_map(
    perception: PerceptualDistance,
) -> None:
    made, wanted = pictures(0), pictures(1)
    losses = [float(perception.loss(made, wanted, blocks=depth)) for depth in range(1, len(BLOCKS) + 1)]
    assert losses == sorted(losses) and losses[0] > 0
    levels = [(127.5 * (one[:1] + 1)).round().byte() for one in (made, wanted)]
    first, second = (one[0].permute(1, 2, 0).numpy() for one in levels)
    again = [one.float() / 127.5 - 1 for one in levels]
    # The map spreads coarse depths by interpolation, which keeps their means but for the border.
    loss = float(perception.loss(again[0], again[1], blocks=len(BLOCKS)))
    assert float(np.mean(perception.perceptual(first, second))) == pytest.approx(loss, rel=0.05)
