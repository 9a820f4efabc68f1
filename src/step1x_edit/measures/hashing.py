"""Hashes of pictures: one that stays nearly the same when a picture is rescaled, and one that tells every pixel."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache

import numpy as np
from jaxtyping import Float64, Int, UInt8, UInt64
from PIL import Image

__all__ = ["hamming_distance", "hamming_distances", "perceptual_hash", "pixel_sha256"]

Rgb = UInt8[np.ndarray, "height width 3"]
SIDE, KEPT = 32, 8
"""The picture is made this small, and this many frequencies are kept in either direction."""


def perceptual_hash(picture: Rgb) -> str:
    """Return a 64-bit hash of what a picture looks like, as 16 hexadecimal digits.

    The picture is made grey and 32 x 32; each of the 8 x 8 lowest frequencies of its discrete cosine transform gives
    one bit, set where it lies above their median. Rescaled or re-encoded copies differ in a few bits, unrelated pictures
    in about 32. Crops and mirror images are other pictures to it.

    Source:
        C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010); details as in the
        package ImageHash, so that lists made with it can be used.
    """
    small = Image.fromarray(picture).convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    low = _cosines() @ np.asarray(small, dtype=np.float64) @ _cosines().T
    return np.packbits(low > np.median(low)).tobytes().hex()


def hamming_distance(first: str, second: str) -> int:
    """Return in how many bits two hashes of equal length differ."""
    return (int(first, 16) ^ int(second, 16)).bit_count()


def hamming_distances(one: str, others: Sequence[str] | UInt64[np.ndarray, " hashes"]) -> Int[np.ndarray, " hashes"]:
    """Return in how many bits a 64-bit hash differs from each of many."""
    known = others if isinstance(others, np.ndarray) else np.array([int(other, 16) for other in others], np.uint64)
    return np.bitwise_count(known ^ np.uint64(int(one, 16))).astype(np.int64)


def pixel_sha256(picture: Rgb) -> str:
    """Return the SHA-256 of a picture's RGB bytes, row by row, as 64 hexadecimal digits."""
    return hashlib.sha256(np.ascontiguousarray(picture).data).hexdigest()


@cache
def _cosines() -> Float64[np.ndarray, "8 32"]:
    """Rows of the type II discrete cosine transform, lowest frequency first."""
    return np.cos(np.pi / SIDE * np.outer(np.arange(KEPT), np.arange(SIDE) + 0.5))
