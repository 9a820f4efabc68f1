"""Sheets as files: pages of before and after beside the results, replaced only when they are ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from step1x_edit.errors import RequestError
from step1x_edit.pipeline.contact_sheet import SheetRow, contact_sheet, sheet_cell
from step1x_edit.pipeline.intake import ReferenceImage, read_reference
from step1x_edit.pipeline.outcome import attach_alpha, encode_picture, write_atomically

__all__ = ["FIRST_PAGE", "before_and_after", "refuse_other_file", "shown", "write_pages", "write_sheet"]

FIRST_PAGE = "contact-sheet.png"

ROWS_ON_A_PAGE = 20

_SHEET_KEY = "step1x-edit-sheet"


def before_and_after(reference: Path, result: Path, caption: str) -> SheetRow:
    """Return the row of one edit, read from its two files."""
    before = shown(read_reference(reference))
    with Image.open(result) as after:
        return SheetRow(caption=caption, cells=(sheet_cell(before, reference.name), sheet_cell(after, result.name)))


def shown(reference: ReferenceImage) -> Image.Image:
    """Return a reference image as one picture, its alpha included."""
    return attach_alpha(reference.rgb, reference)


def write_pages(edits: Sequence[tuple[Path, Path, str]], folder: Path, *, overwrite: bool) -> tuple[Path, ...]:
    """Write ``contact-sheet.png`` (and ``contact-sheet-2.png``, …) for edits given as (reference, result, caption)."""
    starts = range(0, len(edits), ROWS_ON_A_PAGE)
    pages: list[Path] = []
    for page, start in enumerate(starts, start=1):
        rows = [before_and_after(*edit) for edit in edits[start : start + ROWS_ON_A_PAGE]]
        name = FIRST_PAGE if page == 1 else f"contact-sheet-{page}.png"
        title = f"step1x-edit: before and after, page {page} of {len(starts)}"
        pages.append(write_sheet(contact_sheet(rows, title=title), folder / name, overwrite=overwrite))
    return tuple(pages)


def write_sheet(sheet: Image.Image, path: Path, *, overwrite: bool) -> Path:
    """Write a sheet as PNG; an older sheet of ours gives way, any other file does not unless told.

    Raises:
        RequestError: A file of another kind has the name, or the place cannot be written.
    """
    write_atomically(path, encode_picture(sheet, "PNG", "{}", key=_SHEET_KEY), overwrite=overwrite or _is_sheet(path))
    return path


def _is_sheet(path: Path) -> bool:
    try:
        with Image.open(path, formats=("PNG",)) as image:
            return _SHEET_KEY in image.info
    except (OSError, SyntaxError, ValueError):
        return False


def refuse_other_file(path: Path, *, overwrite: bool) -> None:
    """Complain about a sheet's name that is taken, before any work is done.

    Raises:
        RequestError: A file that is no sheet of ours has the name.
    """
    if path.exists() and not (overwrite or _is_sheet(path)):
        raise RequestError(
            given=f"the output {path}, which exists already",
            expected="a name that is free",
            remedy="Choose another name, or ask to overwrite it (--force).",
        )
