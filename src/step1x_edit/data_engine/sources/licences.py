"""Which licences let a picture be passed on with a notice and no further duty."""

from __future__ import annotations

import re

__all__ = ["is_permissive"]

PERMISSIVE = re.compile(
    r"(cc0|public[ -]domain|cc[ -]by[ -]?\d|cc[ -]by$|mit\b|expat|apache|bsd|isc\b|unlicense|zlib)", re.IGNORECASE
)
RESTRICTED = re.compile(r"(by-sa|by-nc|by-nd|gpl|gfdl|free-art|sampling|per file|not stated|unknown)", re.IGNORECASE)


def is_permissive(licence: str) -> bool:
    """Tell whether a licence is public domain, CC0, CC-BY, MIT, Apache, BSD or alike.

    Of several licences joined by "and" or a comma all must be; of several joined by "or" one is enough. Share-alike and
    non-commercial terms are not permissive, and neither is a licence that is not recognised.
    """
    choices = re.split(r"\s+or\s+", licence, flags=re.IGNORECASE)
    return any(_all_permissive(choice) for choice in choices)


def _all_permissive(licence: str) -> bool:
    parts = [part.strip() for part in re.split(r"\s+and\s+|,\s*", licence, flags=re.IGNORECASE) if part.strip()]
    return bool(parts) and all(PERMISSIVE.match(part) and not RESTRICTED.search(part) for part in parts)
