"""Prompts that are read together give what each gives alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import tiny_pipeline

from step1x_edit.models.conditioner import Conditioner, Conditioning
from step1x_edit.models.joint_reading import condition_together

INSTRUCTIONS = [
    ["make it blue", "Add a red hat to the cat on the left!", ""],
    ['write "OK" on it', ""],
    ["把猫去掉", "snow"],
]
TOLERANCE = 2e-5


def pictures() -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (64, 96, 3), dtype=np.uint8)) for _ in INSTRUCTIONS]


def require_equal(one: Conditioning, other: Conditioning) -> None:
    torch.testing.assert_close(one.tokens, other.tokens, rtol=0, atol=TOLERANCE)
    assert torch.equal(one.mask, other.mask)
    torch.testing.assert_close(one.positions, other.positions)
    assert (one.text_embeddings is None) == (other.text_embeddings is None)
    if one.text_embeddings is not None and other.text_embeddings is not None:
        torch.testing.assert_close(one.text_embeddings, other.text_embeddings, rtol=0, atol=TOLERANCE)
        assert one.text_mask is not None and other.text_mask is not None and torch.equal(one.text_mask, other.text_mask)


@pytest.mark.parametrize("release", ["nano", "v1.1", "v1.2"])
@pytest.mark.parametrize("together", [2, 8])
def test_reading_together_equals_reading_alone(release, together):
    pipeline = tiny_pipeline(release)
    conditioner = Conditioner(
        pipeline.text_encoder, pipeline.processor.tokenizer, pipeline.processor.image_processor, pipeline.conventions
    )
    generation = (96, 64)
    joint = condition_together(conditioner, pictures(), INSTRUCTIONS, generation=generation, together=together)
    for picture, texts, answers in zip(pictures(), INSTRUCTIONS, joint, strict=True):
        alone = conditioner(picture, texts, generation=generation)
        assert len(answers) == len(texts)
        for one, other in zip(answers, alone, strict=True):
            require_equal(one, other)
