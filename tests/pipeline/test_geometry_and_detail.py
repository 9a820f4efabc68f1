"""A picture goes to the working size and back without being bent, and keeps its own detail."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from step1x_edit.pipeline.detail import carry_back
from step1x_edit.pipeline.geometry import exact_frame, released_frame
from step1x_edit.sampling.resolution import generation_size

SIDES = st.integers(16, 4000)
LEVELS = st.sampled_from([256, 512, 1024])
LANCZOS = Image.Resampling.LANCZOS


def picture(width, height, seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


@given(SIDES, SIDES, LEVELS)
def test_the_exact_frame_keeps_the_shape_and_pads_less_than_a_token(width, height, level):
    frame = exact_frame(width, height, size_level=level)
    scale = level / (width * height) ** 0.5
    for original, content, canvas in zip((width, height), frame.content, frame.canvas, strict=True):
        assert abs(content - original * scale) <= 0.5 or content == 1
        assert canvas % 16 == 0 and 0 <= canvas - content < 16


@given(SIDES, SIDES, LEVELS)
def test_the_released_frame_stretches_over_the_released_size(width, height, level):
    if max(width, height) / min(width, height) > 15:
        return
    frame = released_frame(width, height, size_level=level)
    assert frame.content == frame.canvas == generation_size(width, height, size_level=level)


@settings(max_examples=20)
@given(st.integers(16, 150), st.integers(16, 150))
def test_a_placed_picture_lies_top_left_and_its_edge_is_mirrored(width, height):
    image = picture(width, height)
    frame = exact_frame(width, height, size_level=64)
    placed = frame.place(image, resample=LANCZOS)
    assert placed.size == frame.canvas
    scaled = image if image.size == frame.content else image.resize(frame.content, LANCZOS)
    assert np.array_equal(placed.crop((0, 0, *frame.content)), scaled)
    if frame.canvas[0] > frame.content[0]:
        columns = np.asarray(placed)[: frame.content[1]]
        edge = frame.content[0]
        assert np.array_equal(columns[:, edge], columns[:, edge - 1])
    assert frame.restore(placed).size == (width, height)


def test_a_picture_of_working_size_goes_there_and_back_unchanged():
    image = picture(64, 64)
    frame = exact_frame(64, 64, size_level=64)
    assert np.array_equal(frame.restore(frame.place(image, resample=LANCZOS)), image)
    frame = exact_frame(50, 72, size_level=60)
    assert frame.content == (50, 72) and frame.canvas == (64, 80)
    image = picture(50, 72)
    assert np.array_equal(frame.restore(frame.place(image, resample=LANCZOS)), image)


@settings(max_examples=15, deadline=None)
@given(st.integers(20, 200), st.integers(20, 200), st.integers(0, 9))
def test_nothing_changed_gives_the_reference_itself(width, height, seed):
    reference, reconstruction = picture(width, height, seed), picture(40, 36, seed + 1)
    assert np.array_equal(carry_back(reconstruction, reconstruction, reference), reference)


def test_a_tone_is_carried_back_with_the_references_detail():
    reference = Image.fromarray(np.random.default_rng(0).integers(60, 250, (160, 160, 3), dtype=np.uint8))
    small = reference.resize((40, 40), LANCZOS)
    darker = small.point(lambda value: value * 0.6)
    result = np.asarray(carry_back(darker, small, reference), dtype=float)
    expected = np.asarray(reference, dtype=float) * 0.6
    enlarged = np.asarray(darker.resize((160, 160), LANCZOS), dtype=float)
    assert np.abs(result - expected).mean() < 0.25 * np.abs(enlarged - expected).mean()


def test_new_content_does_not_take_the_references_detail():
    reference = picture(160, 160)
    flat = Image.new("RGB", (40, 40), (200, 40, 30))
    result = np.asarray(carry_back(flat, picture(40, 40, 3), reference), dtype=float)
    assert np.abs(result - (200, 40, 30)).mean() < 2


@pytest.mark.parametrize("size", [(40, 40), (160, 90), (161, 33)])
def test_the_result_has_the_references_size(size):
    assert carry_back(picture(40, 36, 1), picture(40, 36, 2), picture(*size)).size == size
