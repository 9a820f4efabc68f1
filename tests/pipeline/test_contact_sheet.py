"""Contact sheets show every picture and survive every script."""

import numpy as np
import pytest
from strange_pictures import gradient

from step1x_edit.pipeline.contact_sheet import CELL_PX, SheetRow, contact_sheet, sheet_cell


def row(caption: str, *pictures) -> SheetRow:
    return SheetRow(caption=caption, cells=tuple(sheet_cell(picture, "label") for picture in pictures))


def test_a_cell_keeps_the_shape_of_a_photo_and_does_not_change_it():
    photo = gradient(1000, 500)
    cell = sheet_cell(photo, "before")
    assert cell.picture.size == (CELL_PX, CELL_PX // 2)
    assert photo.size == (1000, 500)


def test_a_small_picture_appears_pixel_by_pixel():
    picture = gradient()
    page = np.asarray(contact_sheet([row("x", picture)], title="t"))
    small = np.asarray(picture)
    rows, columns = small.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(page, (rows, columns, 3))[..., 0, :, :, :]
    assert (windows == small).all(axis=(-1, -2, -3)).any()


def test_transparency_shows_a_checkerboard():
    clear = gradient(64, 64)
    clear.putalpha(0)
    assert len(sheet_cell(clear, "x").picture.getcolors()) == 2


@pytest.mark.parametrize(
    "caption", ["", "把天空变成夜晚" * 40, "ночь", "🌙 café", "x" * 2000, "a\nb\tc", "\u200b\u0301"]
)
def test_every_caption_can_be_drawn(caption):
    page = contact_sheet([row(caption, gradient(), gradient(20, 40))], title=caption[:50])
    assert page.mode == "RGB"


def test_rows_of_different_length_share_a_page():
    one, three = row("one", gradient()), row("three", gradient(), gradient(), gradient())
    assert contact_sheet([one, three], title="t").width == contact_sheet([three], title="t").width
