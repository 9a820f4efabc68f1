"""Hashes: the perceptual one agrees with ImageHash and survives what copies go through; the exact one tells every pixel."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from step1x_edit.measures.hashing import hamming_distance, hamming_distances, perceptual_hash, pixel_sha256


def drawn(number: int) -> np.ndarray:
    rows, columns = np.mgrid[0:96, 0 : 128 + 16 * number]
    channels = [rows * (number + 1) + columns * 2, rows * columns // (40 + number), columns + 90 * number]
    return np.stack(channels, axis=-1).astype(np.uint8)


def softly_drawn() -> np.ndarray:
    """Broad shapes, as a photograph has them."""
    rows, columns = np.mgrid[0:192, 0:256] / 40.0
    wave = np.sin(rows * 1.3) + np.cos(columns * 1.7 + rows) + 0.4 * np.sin(columns * rows)
    return np.stack([127 + 50 * wave, 127 - 40 * wave, 100 + 30 * np.cos(wave)], axis=-1).astype(np.uint8)


@pytest.mark.parametrize(
    ("number", "expected"), [(0, "91754d2a54ab56ab"), (1, "805b56a75ca56a75"), (2, "866b5abd4257aa54")]
)
def test_the_perceptual_hash_is_that_of_the_package_imagehash(number: int, expected: str) -> None:
    # The expected digits come from ImageHash 4.3.2, `imagehash.phash`.
    assert hamming_distance(perceptual_hash(drawn(number)), expected) <= 1


def test_copies_of_a_picture_keep_their_perceptual_hash_nearly() -> None:
    picture = softly_drawn()
    encoded = io.BytesIO()
    Image.fromarray(picture).save(encoded, "JPEG", quality=60)
    smaller = np.asarray(Image.fromarray(picture).resize((150, 110)))
    for copy in (np.asarray(Image.open(encoded)), smaller, (picture * 0.8 + 10).astype(np.uint8)):
        assert hamming_distance(perceptual_hash(picture), perceptual_hash(copy)) <= 4


def test_other_pictures_have_another_perceptual_hash() -> None:
    picture = softly_drawn()
    for other in (drawn(0), picture[:, ::-1], picture[::-1]):
        assert hamming_distance(perceptual_hash(picture), perceptual_hash(np.ascontiguousarray(other))) >= 12


def test_one_hash_is_measured_against_many_at_once() -> None:
    assert hamming_distances("0" * 16, ["0" * 16, "f" * 16, "8000000000000001"]).tolist() == [0, 64, 2]


def test_the_pixel_hash_is_sha256_of_the_rgb_bytes_row_by_row() -> None:
    picture = drawn(1)
    assert pixel_sha256(picture) == hashlib.sha256(picture.tobytes()).hexdigest()
    assert pixel_sha256(picture[:, ::-1]) == hashlib.sha256(picture[:, ::-1].tobytes()).hexdigest()
    changed = picture.copy()
    changed[-1, -1, -1] ^= 1
    assert pixel_sha256(changed) != pixel_sha256(picture)
