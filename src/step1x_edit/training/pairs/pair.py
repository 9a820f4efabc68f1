"""One training pair, and what every source of pairs can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool
from PIL import Image

from step1x_edit.errors import DataError

__all__ = ["Language", "MissingPartner", "PairContent", "PairFacts", "PairSource", "TrainingPair", "UnreadablePicture"]

Language = Literal["en", "zh"]


class MissingPartner(DataError):
    """A pair of which one picture is not there."""


class UnreadablePicture(DataError):
    """A pair of which one picture cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPair:
    """A pair with its pixels."""

    id: str
    """The same for the same pair each time, and no two alike in one source."""
    reference: Image.Image | None
    """RGB, upright; ``None`` for an example of text-to-image."""
    target: Image.Image
    """RGB, upright."""
    instructions: Mapping[Language, str]
    mask: Bool[np.ndarray, "height width"] | None
    """True where the target may differ from the reference image; ``None`` where nobody said."""
    origin: str
    """Where it comes from, in words for messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFacts:
    """What can be known of a pair without decoding a pixel. Sizes are (width, height), upright."""

    id: str
    origin: str
    has_reference: bool
    target_size: tuple[int, int]
    instructions: Mapping[Language, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairContent:
    """Hashes of what is in the pictures of a pair: equal hashes, equal pixels."""

    reference: str | None
    target: str
    mask: str | None


@runtime_checkable
class PairSource(Protocol):
    """Pairs by number. What is wrong with one pair is said when that pair is asked for, not before."""

    @property
    def name(self) -> str:
        """What the user called it."""
        ...

    def __len__(self) -> int: ...

    def origin(self, index: int) -> str:
        """Return where a pair comes from, in words; works for broken pairs too."""
        ...

    def facts(self, index: int) -> PairFacts:
        """Return what is known without decoding.

        Raises:
            MissingPartner: A picture is not there.
            UnreadablePicture: The head of a picture cannot be read.
        """
        ...

    def content(self, index: int) -> PairContent:
        """Return hashes of the pictures, read but not decoded.

        Raises:
            MissingPartner: A picture is not there.
        """
        ...

    def pair(self, index: int) -> TrainingPair:
        """Return a pair with its pixels.

        Raises:
            MissingPartner: A picture is not there.
            UnreadablePicture: A picture cannot be read.
        """
        ...
