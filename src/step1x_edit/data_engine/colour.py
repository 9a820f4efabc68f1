"""Colour arithmetic of the recipes; it lives with the measures, which judge by the same numbers."""

from __future__ import annotations

from step1x_edit.measures.colour import from_linear, from_oklab, luminance, to_linear, to_oklab

__all__ = ["from_linear", "from_oklab", "luminance", "to_linear", "to_oklab"]
