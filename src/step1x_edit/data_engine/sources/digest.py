"""One file → what a pool keeps of it. This is the work that is shared among processes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from step1x_edit.data_engine.sources.offers import Known
from step1x_edit.data_engine.sources.pixels import cropped_to_matte, has_transparency, over_grey, reduced, with_matte
from step1x_edit.data_engine.sources.subjects import judge_matte
from step1x_edit.errors import RequestError
from step1x_edit.experts.expert_set import ExpertSet
from step1x_edit.measures.hashing import perceptual_hash
from step1x_edit.pipeline.intake import read_reference
from step1x_edit.schema.triplet import SourceKind

__all__ = ["Entry", "Limits", "Matting", "Naming", "cached_matting", "digest"]

Rgb = UInt8[np.ndarray, "height width 3"]
Matte = Float32[np.ndarray, "height width"]
Matting = Callable[[bytes, Rgb], Matte]
"""File and reduced photograph → matte; the file is what a cached matte is found by."""
Naming = Callable[[ExpertSet, Rgb, Matte], tuple[str, str] | None]
"""What the subject of a photograph is called, in English and Chinese; ``None`` where unsure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Sizes of what a pool keeps, in pixels."""

    short_side: int = 768
    """Longest short side of a photograph, and longest long side of a cut-out. Half as much again as the triplets'."""
    min_side: int = 64
    """Pictures with a shorter side are refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One picture as the pool will keep it."""

    kind: SourceKind
    scene: bool
    label: str | None
    label_zh: str | None
    phash: str
    pixels: UInt8[np.ndarray, "height width channels"]

    @property
    def height(self) -> int:
        """In pixels."""
        return self.pixels.shape[0]

    @property
    def width(self) -> int:
        """In pixels."""
        return self.pixels.shape[1]

    @property
    def channels(self) -> int:
        """3 for RGB, 4 for RGBA."""
        return self.pixels.shape[2]


def digest(
    data: bytes,
    known: Known,
    *,
    limits: Limits,
    matting: Matting | None = None,
    naming: Callable[[Rgb, Matte], tuple[str, str] | None] | None = None,
) -> tuple[Entry, ...]:
    """Read a picture and make what the pool keeps of it.

    Args:
        data: The file.
        known: What its source says.
        limits: Sizes.
        matting: Makes the matte of a photograph; without it photographs stay without subjects.
        naming: Names a subject that has no label.

    Returns:
        A cut-out; or a photograph, then its subject, then the subject cut out, as far as the matte allows.

    Raises:
        RequestError: The picture is damaged, animated, of an unknown format, too small or too large, or shows nothing.
    """
    reference = read_reference(data)
    if min(reference.rgb.size) < limits.min_side:
        raise RequestError(
            given=f"a picture of {reference.width} x {reference.height} pixels",
            expected=f"sides of at least {limits.min_side} pixels",
            remedy="Leave it out.",
        )
    transparent = has_transparency(reference.alpha)
    if known.kind == "cutout" or (known.kind is None and transparent):
        return (_cutout(reference.rgb, reference.alpha, known, limits),)
    photo = np.asarray(reduced(reference.rgb, limits.short_side))
    return _photographed(data, photo, known, limits, matting, naming)


def cached_matting(experts: ExpertSet, cache: Path, limits: Limits) -> Matting:
    """Return a matting that keeps its mattes as files, found by content, size and model."""

    def matting(data: bytes, photo: Rgb) -> Matte:
        part = experts.part("matte")
        digits = hashlib.sha256(data).hexdigest()[:32]
        kept = cache / f"{digits}-{limits.short_side}-{part.part.replace('/', '_')}-{part.version}.png"
        if not kept.is_file():
            cache.mkdir(parents=True, exist_ok=True)
            temporary = cache / f".{digits}.{os.getpid()}.png"
            Image.fromarray((255 * experts.matte(photo)).round().astype(np.uint8)).save(temporary)
            temporary.replace(kept)
        with Image.open(kept) as matte:
            return np.asarray(matte, dtype=np.float32) / 255

    return matting


def _cutout(rgb: Image.Image, alpha: Image.Image | None, known: Known, limits: Limits) -> Entry:
    rgba = rgb.copy()
    rgba.putalpha(alpha or 255)
    pixels = cropped_to_matte(np.asarray(rgba), limits.short_side)
    if pixels is None or max(pixels.shape[:2]) < limits.min_side:
        raise RequestError(
            given="a picture whose visible part is " + ("empty" if pixels is None else f"{pixels.shape[1]} px wide"),
            expected=f"a visible part of at least {limits.min_side} pixels",
            remedy="Leave it out.",
        )
    return _entry("cutout", pixels, known.label, known.label_zh)


def _photographed(
    data: bytes,
    photo: Rgb,
    known: Known,
    limits: Limits,
    matting: Matting | None,
    naming: Callable[[Rgb, Matte], tuple[str, str] | None] | None,
) -> tuple[Entry, ...]:
    plain = _entry("photo", photo, known.label, known.label_zh, scene=bool(known.scene))
    if matting is None or known.scene:
        return (plain,)
    matte = matting(data, photo)
    verdict = judge_matte(matte)
    if known.scene is None:
        # What a close-up shows may fill it so that nothing stands out; a named thing makes no mere scene.
        plain = replace(plain, scene=verdict.scene and known.label is None)
    if not verdict.subject:
        return (plain,)
    label, label_zh = known.label, known.label_zh
    if label is None and naming is not None:
        label, label_zh = naming(photo, matte) or (None, None)
    rgba = with_matte(photo, matte)
    entries = [plain, replace(_entry("subject", rgba, label, label_zh), phash=plain.phash)]
    cutout = cropped_to_matte(rgba, limits.short_side) if verdict.whole and label else None
    if cutout is not None:
        entries.append(_entry("cutout", cutout, label, label_zh))
    return tuple(entries)


def _entry(
    kind: SourceKind,
    pixels: UInt8[np.ndarray, "height width channels"],
    label: str | None,
    label_zh: str | None,
    *,
    scene: bool = False,
) -> Entry:
    phash = perceptual_hash(over_grey(pixels))
    return Entry(kind=kind, scene=scene, label=label, label_zh=label_zh, phash=phash, pixels=pixels)
