"""The files that a pool refused, and how often for the same kind of reason."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from step1x_edit.data_engine.sources.assembly import REJECTIONS
from step1x_edit.errors import DataError
from step1x_edit.schema.triplet import Rejection

__all__ = ["by_kind", "read_refusals"]

_EXPECTED = re.compile(r"; (expected [^.]*)\.")
_COPY = re.compile(r"^The same file as ")


def read_refusals(pool: Path) -> tuple[Rejection, ...]:
    """Read the records of the files that a pool refused; none where all were taken.

    Raises:
        DataError: The records cannot be read.
    """
    path = pool / REJECTIONS
    if not path.is_file():
        return ()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return tuple(Rejection.model_validate_json(line) for line in lines)
    except (OSError, ValidationError) as error:
        raise DataError(
            given=f"{path}, which cannot be read ({' '.join(str(error).split())[:120]})",
            expected="a record of a refused file per line",
            remedy="Run the command that built the pool again.",
        ) from error


def by_kind(refused: Iterable[Rejection]) -> Counter[str]:
    """Count refusals by what was expected, whatever the single file was like."""
    return Counter(_kind(one.reason.partition(": ")[2]) for one in refused)


def _kind(reason: str) -> str:
    if _COPY.match(reason):
        return "a second copy of a file"
    found = _EXPECTED.search(reason)
    return found[1] if found else reason
