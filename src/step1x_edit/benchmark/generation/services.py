"""What editors behind an address share: pictures as files, and when to give a service up."""

from __future__ import annotations

import io

from PIL import Image

from step1x_edit.benchmark.generation.case_editor import NoPicture
from step1x_edit.errors import ExpertError

__all__ = ["RETRIES", "Patience", "decoded", "png_bytes"]

RETRIES = 4
"""Further tries after a lost connection, a time-out, HTTP 429 or 5xx; each waits longer, or as long as the service asks."""
STRAIGHT_FAILURES = 5
"""After so many failed cases in a row the run stops, rather than fail a thousand more."""
REASON_LENGTH = 300


class Patience:
    """Counts failures in a row.

    Args:
        service: What it is called in messages.
    """

    def __init__(self, service: str) -> None:
        self._service = service
        self._failures = 0

    def worked(self) -> None:
        """Note that the service answered, be it with a refusal."""
        self._failures = 0

    def failed(self, reason: str) -> NoPicture:
        """Note a failure and return it.

        Raises:
            ExpertError: It was one too many in a row.
        """
        self._failures += 1
        told = " ".join(reason.split())[:REASON_LENGTH]
        if self._failures >= STRAIGHT_FAILURES:
            raise self.unusable(f"{self._failures} failures in a row, the last: {told}")
        return NoPicture(outcome="failed", reason=told)

    def refused(self, reason: str) -> NoPicture:
        """Note a refusal and return it."""
        self.worked()
        return NoPicture(outcome="refused", reason=" ".join(reason.split())[:REASON_LENGTH])

    def unusable(self, reason: str) -> ExpertError:
        """Return the error that ends a run."""
        return ExpertError(
            given=f"{self._service}: {' '.join(reason.split())[:REASON_LENGTH]}",
            expected="a service that edits pictures",
            remedy="Check address, model, key and options, then start again; finished cases are kept.",
        )


def png_bytes(picture: Image.Image) -> bytes:
    """Return a picture as a PNG file."""
    content = io.BytesIO()
    picture.save(content, format="PNG")
    return content.getvalue()


def decoded(content: bytes) -> Image.Image | None:
    """Return the picture in a file's bytes, RGB, or ``None`` where there is none that is whole."""
    try:
        with Image.open(io.BytesIO(content)) as picture:
            return picture.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
