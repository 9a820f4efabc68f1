"""Experts for drawn pictures: a hole is filled from the row's nearest kept pixels, which is right for a flat scene."""

from __future__ import annotations

import numpy as np

from step1x_edit.errors import MissingExtra
from step1x_edit.experts.answers import Detection, Face, PartVersion, Tag, TextLine

ABSENT = MissingExtra(given="drawn experts", expected="a model", remedy="Ask for matte or inpaint only.")


class DrawnExperts:
    """Fills holes and gives no other answer."""

    def available(self, expert: str) -> bool:
        return expert in ("matte", "inpaint")

    def part(self, expert: str) -> PartVersion:
        return PartVersion(part=f"drawn-{expert}", version="1", licence="CC0-1.0")

    def matte(self, picture) -> np.ndarray:
        raise ABSENT

    def inpaint(self, picture, mask):
        filled = picture.copy()
        for row, hole in zip(filled, mask, strict=True):
            kept = np.flatnonzero(~hole)
            for column in np.flatnonzero(hole):
                # Mirrored at the hole's nearer edge, so that grain goes on.
                edge = kept[np.abs(kept - column).argmin()]
                row[column] = row[np.clip(2 * edge - column, 0, len(row) - 1)] if kept.size else row[column]
        return np.where(mask[..., None], filled, picture)

    def detect(self, picture) -> tuple[Detection, ...]:
        raise ABSENT

    def tag(self, picture) -> tuple[Tag, ...]:
        raise ABSENT

    def stylise(self, picture, style) -> np.ndarray:
        raise ABSENT

    def read_text(self, picture) -> tuple[TextLine, ...]:
        raise ABSENT

    def face_landmarks(self, picture) -> tuple[Face, ...]:
        raise ABSENT

    def features(self, picture) -> np.ndarray:
        raise ABSENT

    def perceptual(self, first, second) -> np.ndarray:
        raise ABSENT

    def ask(self, question, pictures) -> str:
        raise ABSENT
