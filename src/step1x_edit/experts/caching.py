"""Keeps experts' answers on disk, so that a picture is looked at once however often it is used.

An answer is filed under its expert, the part that gave it, and the SHA-256 of the picture's pixels. Mattes are PNG
files, all else JSON. Calls that are asked of a picture once (``inpaint``, ``stylise``, ``perceptual``) go straight through.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image

from step1x_edit.errors import DataError
from step1x_edit.experts.answers import Detection, Face, PartVersion, Tag, TextLine
from step1x_edit.experts.expert_set import ExpertName, ExpertSet

__all__ = ["CachedExperts"]

FORM = "1"
"""Goes up when an expert answers otherwise though its part is the same (thresholds, resizing): old answers then rest."""

Rgb = UInt8[np.ndarray, "height width 3"]
Answer = TypeVar("Answer", Detection, Tag, TextLine, Face)


class CachedExperts:
    """An expert set that remembers.

    First and later answers are equal to the bit: a matte is rounded to 256 levels before it is first handed out. Several
    processes may share a folder. An entry that cannot be read is asked for again.

    Args:
        inner: The expert set that answers what is not remembered.
        folder: Where answers are kept; made at the first one.
    """

    def __init__(self, inner: ExpertSet, folder: Path) -> None:
        self.inner = inner
        self.folder = folder

    def available(self, expert: ExpertName) -> bool:
        """Tell whether a call would find its part on this machine, without loading it."""
        return self.inner.available(expert)

    def part(self, expert: ExpertName) -> PartVersion:
        """Return which model answers a call."""
        return self.inner.part(expert)

    def matte(self, picture: Rgb) -> Float32[np.ndarray, "height width"]:
        """Return how much each pixel belongs to the salient subject, 0..1 in steps of 1/255."""
        file = self._file("matte", ".png", [picture])
        levels = _read(file, _decoded_png)
        if levels is None or levels.shape != picture.shape[:2]:
            levels = np.round(self.inner.matte(picture) * 255).astype(np.uint8)
            _write(file, _encoded_png(levels))
        return levels.astype(np.float32) / 255

    def detect(self, picture: Rgb) -> tuple[Detection, ...]:
        """Return objects of the COCO classes, best first."""
        return self._records("detect", Detection, picture, self.inner.detect)

    def tag(self, picture: Rgb) -> tuple[Tag, ...]:
        """Return the five best ImageNet names of what the picture shows."""
        return self._records("tag", Tag, picture, self.inner.tag)

    def read_text(self, picture: Rgb) -> tuple[TextLine, ...]:
        """Return lines of lettering, English or Chinese, top to bottom."""
        return self._records("read_text", TextLine, picture, self.inner.read_text)

    def face_landmarks(self, picture: Rgb) -> tuple[Face, ...]:
        """Return faces, the largest first."""
        return self._records("face_landmarks", Face, picture, self.inner.face_landmarks)

    def features(self, picture: Rgb) -> Float32[np.ndarray, " 1280"]:
        """Return semantic features of a picture, of unit length."""
        file = self._file("features", ".json", [picture])
        return np.asarray(_remembered(file, lambda: self.inner.features(picture).tolist()), dtype=np.float32)

    def ask(self, question: str, pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> str:
        """Return a multimodal LLM's answer to a question about pictures."""
        file = self._file("ask", ".json", pictures, question)
        return _remembered(file, lambda: self.inner.ask(question, pictures))

    def inpaint(self, picture: Rgb, mask: Bool[np.ndarray, "height width"]) -> Rgb:
        """Return the picture with the masked part filled from its surround; not remembered."""
        return self.inner.inpaint(picture, mask)

    def stylise(self, picture: Rgb, style: str | UInt8[np.ndarray, "rows columns 3"]) -> Rgb:
        """Return the picture in a style; not remembered."""
        return self.inner.stylise(picture, style)

    def perceptual(self, first: Rgb, second: Rgb) -> Float32[np.ndarray, "height width"]:
        """Return a map of perceptual distance between two pictures; not remembered."""
        return self.inner.perceptual(first, second)

    def _records(
        self, expert: ExpertName, record: type[Answer], picture: Rgb, call: Callable[[Rgb], tuple[Answer, ...]]
    ) -> tuple[Answer, ...]:
        file = self._file(expert, ".json", [picture])
        entries = _remembered(file, lambda: [_entry(one) for one in call(picture)])
        return tuple(record(**{name: _value(value) for name, value in entry.items()}) for entry in entries)

    def _file(
        self, expert: ExpertName, suffix: str, pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]], question: str = ""
    ) -> Path:
        part = self.inner.part(expert)
        digest = hashlib.sha256(question.encode())
        for picture in pictures:
            digest.update(f"|{picture.shape}|".encode())
            digest.update(picture.tobytes())
        key = digest.hexdigest()
        version = re.sub(r"[^\w.+-]", "_", f"{part.part}-{part.version}-{FORM}")
        return self.folder / expert / version / key[:2] / f"{key}{suffix}"


def _remembered(file: Path, call: Callable[[], Any]) -> Any:
    found = _read(file, json.loads)
    if found is None:
        _write(file, json.dumps(call(), ensure_ascii=False).encode())
        found = _read(file, json.loads)
    return found


def _entry(record: Detection | Tag | TextLine | Face) -> dict[str, Any]:
    values = asdict(record)
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()}


def _value(value: Any) -> Any:
    """Turn JSON's lists back: one of lists is an array of points, one of numbers a box."""
    if not isinstance(value, list):
        return value
    return np.array(value, dtype=np.float32) if isinstance(value[0], list) else tuple(value)


def _encoded_png(levels: UInt8[np.ndarray, "height width"]) -> bytes:
    content = BytesIO()
    Image.fromarray(levels).save(content, format="PNG", compress_level=1)
    return content.getvalue()


def _decoded_png(content: bytes) -> UInt8[np.ndarray, "height width"]:
    with Image.open(BytesIO(content), formats=["PNG"]) as picture:
        return np.asarray(picture.convert("L"))


def _read(file: Path, decode: Callable[[bytes], Any]) -> Any:
    try:
        return decode(file.read_bytes())
    except (OSError, ValueError, SyntaxError):
        # Not there, or cut short by a power failure. An answer can always be asked for again.
        return None


def _write(file: Path, content: bytes) -> None:
    """Write a file whole or not at all, also while other processes write the same one."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=file.parent, prefix=".", delete=False) as draft:
            try:
                draft.write(content)
                draft.flush()
                Path(draft.name).replace(file)
            except OSError:
                Path(draft.name).unlink(missing_ok=True)
                raise
    except OSError as refused:
        raise DataError(
            given=f"{file.parent} ({refused.strerror})",
            expected="a folder for experts' answers that can be written",
            remedy="Free some space, or name another folder.",
        ) from refused
