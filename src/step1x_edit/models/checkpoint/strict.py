"""The strict match: a checkpoint holds exactly the network's tensors in exactly its shapes, or the load stops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from step1x_edit.errors import CheckpointError

__all__ = ["Differences", "differences", "listed", "require_match"]

_SHOWN = 20
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """In what a checkpoint departs from a network, as names (with both shapes where they differ)."""

    missing: tuple[str, ...]
    extra: tuple[str, ...]
    misshaped: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether there is any difference."""
        return bool(self.missing or self.extra or self.misshaped)

    def __str__(self) -> str:
        parts = {"missing": self.missing, "extra": self.extra, "misshaped": self.misshaped}
        return "; ".join(f"{len(names)} {word}: {listed(names)}" for word, names in parts.items() if names)


def differences(*, expected: Mapping[str, Shape], found: Mapping[str, Shape]) -> Differences:
    """Compare names and shapes.

    Args:
        expected: The network's tensors.
        found: The checkpoint's tensors, in the same layout.
    """
    return Differences(
        missing=tuple(sorted(expected.keys() - found.keys())),
        extra=tuple(sorted(found.keys() - expected.keys())),
        misshaped=tuple(
            f"{name} {list(found[name])} instead of {list(expected[name])}"
            for name in sorted(expected.keys() & found.keys())
            if found[name] != expected[name]
        ),
    )


def require_match(*, path: Path, expected: Mapping[str, Shape], found: Mapping[str, Shape], remedy: str) -> None:
    """Stop unless names and shapes are equal.

    Raises:
        CheckpointError: They are not; the message counts the differences and lists the first of each kind.
    """
    difference = differences(expected=expected, found=found)
    if difference:
        raise CheckpointError(
            given=f"{path}, which differs from the network ({difference})",
            expected=f"exactly its {len(expected)} tensors",
            remedy=remedy,
        )


def listed(names: Sequence[str]) -> str:
    """Return the first names as text, with the count of those left out."""
    more = f", and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
