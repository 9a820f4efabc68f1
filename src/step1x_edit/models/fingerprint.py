"""A short name for weights: other weights, another name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from torch import Tensor

__all__ = ["weights_fingerprint"]

SAMPLED = 64
"""Values of each weight that count; reading all of a large network would take longer than an edit."""


def weights_fingerprint(weights: Iterable[tuple[str, Tensor]]) -> str:
    """Return twelve hexadecimal digits that follow from names and from a few values of each weight."""
    digest = hashlib.sha256()
    for name, weight in weights:
        digest.update(f"{name} {weight.flatten()[:SAMPLED].float().tolist()}".encode())
    return digest.hexdigest()[:12]
