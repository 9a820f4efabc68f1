"""Metadata columns of other people's data sets, under the names they use, as what is known about a picture."""

from __future__ import annotations

from collections.abc import Mapping

from step1x_edit.data_engine.sources.offers import Known

__all__ = ["METADATA_FIELDS", "known_from"]

NAMES = {
    "licence": ("licence", "license"),
    "author": ("author", "creator", "photographer", "artist"),
    "label": ("label", "object", "class"),
    "label_zh": ("label_zh",),
    "dataset": ("dataset",),
    "version": ("version",),
}
METADATA_FIELDS = frozenset(name for names in NAMES.values() for name in names)


def known_from(row: Mapping[str, object], *, dataset: str) -> Known:
    """Return what a row says about its picture; only text counts, so that numbered classes are no labels.

    Args:
        row: Columns by name.
        dataset: Name of the data set where the row does not say.
    """
    found = {field: _text(row, names) for field, names in NAMES.items()}
    return Known(
        dataset=found["dataset"] or dataset,
        version=found["version"] or "",
        licence=found["licence"] or "unknown",
        author=found["author"],
        label=found["label"],
        label_zh=found["label_zh"],
    )


def _text(row: Mapping[str, object], names: tuple[str, ...]) -> str | None:
    values = (row.get(name) for name in names)
    return next((value.strip() for value in values if isinstance(value, str) and value.strip()), None)
