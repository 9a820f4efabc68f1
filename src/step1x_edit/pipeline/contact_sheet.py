"""Contact sheets: before and after side by side, one edit per row, with captions in any script."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageDraw, ImageFont

__all__ = ["SheetCell", "SheetRow", "contact_sheet", "sheet_cell"]

CELL_PX = 320
MARGIN_PX = 12
LABEL_PX = 18
TEXT_SIZE_PX = 14
MAX_CAPTION_LINES = 3

_PAPER, _INK, _FAINT = (250, 250, 248), (30, 30, 30), (110, 110, 110)
_CHECKER_PX, _CHECKER = 8, ((255, 255, 255), (220, 220, 220))

# Pillow's own font has Latin letters only. Of these the first two have most alphabets, the rest Chinese; they come with
# common systems.
_OTHER_FONTS = (
    "DejaVuSans.ttf",
    "Arial Unicode.ttf",
    "NotoSansCJK-Regular.ttc",
    "NotoSansSC-Regular.otf",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "DroidSansFallbackFull.ttf",
    "PingFang.ttc",
    "msyh.ttc",
)

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetCell:
    """One picture on a sheet, already small."""

    picture: Image.Image
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetRow:
    """One edit: its pictures from left to right under a caption."""

    caption: str
    cells: tuple[SheetCell, ...]


def sheet_cell(image: Image.Image, label: str) -> SheetCell:
    """Return a small copy for a sheet, so that a sheet of many photos stays small in memory.

    Args:
        image: Mode RGB or RGBA; transparency is shown over a checkerboard.
        label: A few words under the picture.
    """
    small = image.copy()
    small.thumbnail((CELL_PX, CELL_PX), Image.Resampling.LANCZOS, reducing_gap=3.0)
    if small.mode != "RGBA":
        return SheetCell(picture=small.convert("RGB"), label=label)
    board = _checkerboard(small.size)
    board.paste(small, mask=small.getchannel("A"))
    return SheetCell(picture=board, label=label)


def contact_sheet(rows: Sequence[SheetRow], *, title: str) -> Image.Image:
    """Lay rows of pictures out on one page.

    Args:
        rows: At least one; they may have different numbers of pictures.
        title: One line at the top.

    Returns:
        An RGB picture, as wide as the longest row needs.
    """
    assert rows, "a sheet shows at least one edit"
    columns = max(len(row.cells) for row in rows)
    width = columns * (CELL_PX + MARGIN_PX) + MARGIN_PX
    strips = [_text_block([title], width, _INK), *(_row_strip(row, width) for row in rows)]
    page = Image.new("RGB", (width, sum(strip.height for strip in strips) + MARGIN_PX), _PAPER)
    top = 0
    for strip in strips:
        page.paste(strip, (0, top))
        top += strip.height
    return page


def _row_strip(row: SheetRow, width: int) -> Image.Image:
    caption = _text_block(_wrapped(row.caption, width - 2 * MARGIN_PX), width, _INK)
    tallest = max(cell.picture.height for cell in row.cells)
    strip = Image.new("RGB", (width, caption.height + tallest + LABEL_PX + MARGIN_PX), _PAPER)
    strip.paste(caption, (0, 0))
    draw = ImageDraw.Draw(strip)
    for column, cell in enumerate(row.cells):
        left = MARGIN_PX + column * (CELL_PX + MARGIN_PX)
        strip.paste(cell.picture, (left, caption.height))
        label = _wrapped(cell.label, CELL_PX)[0]
        draw.text((left, caption.height + cell.picture.height + 2), label, font=_font_for(label), fill=_FAINT)
    return strip


def _text_block(lines: Sequence[str], width: int, colour: tuple[int, int, int]) -> Image.Image:
    block = Image.new("RGB", (width, MARGIN_PX + len(lines) * LABEL_PX + 4), _PAPER)
    draw = ImageDraw.Draw(block)
    for number, line in enumerate(lines):
        draw.text((MARGIN_PX, MARGIN_PX + number * LABEL_PX), line, font=_font_for(line), fill=colour)
    return block


def _wrapped(text: str, width: int) -> list[str]:
    """Break a text into lines that fit, between words where there are spaces; at least one line, at most three."""
    text = _writable(" ".join(text.split()))
    font, lines = _font_for(text), []
    while text and len(lines) < MAX_CAPTION_LINES:
        end = len(text)
        while end > 1 and font.getlength(text[:end]) > width:
            end = min(end - 1, int(end * width / font.getlength(text[:end])) + 1)
        space = text.rfind(" ", 0, end) if end < len(text) else -1
        end = space if space > 0 else end
        lines.append(text[:end])
        text = text[end:].lstrip()
    if text:
        lines[-1] = lines[-1][:-1] + "…"
    return lines or [""]


def _font_for(text: str) -> _Font:
    """Return the font at hand that draws most of a text; of equals the first."""
    if text.isascii():
        return _fonts()[0]
    return max(_fonts(), key=lambda font: sum(_has_glyph(font, character) for character in text))


def _writable(text: str) -> str:
    """Replace characters no font at hand can draw by their escapes, so that a caption never shows empty boxes."""
    font = _font_for(text)
    return "".join(
        character if _has_glyph(font, character) else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


@cache
def _fonts() -> tuple[_Font, ...]:
    fonts: list[_Font] = [ImageFont.load_default(TEXT_SIZE_PX)]
    for name in _OTHER_FONTS:
        with suppress(OSError):
            fonts.append(ImageFont.truetype(name, TEXT_SIZE_PX))
    return tuple(fonts)


@cache
def _has_glyph(font: _Font, character: str) -> bool:
    if character.isascii():
        return True
    # A font draws one and the same box for everything it does not have, a non-character included.
    return _drawn(font, character) != _drawn(font, "\U0010fffe")


def _drawn(font: _Font, character: str) -> bytes:
    canvas = Image.new("1", (3 * TEXT_SIZE_PX, 2 * TEXT_SIZE_PX))
    ImageDraw.Draw(canvas).text((TEXT_SIZE_PX, 0), character, font=font, fill=1)
    return canvas.tobytes()


@cache
def _checker_tile() -> Image.Image:
    tile = Image.new("RGB", (2 * _CHECKER_PX, 2 * _CHECKER_PX), _CHECKER[0])
    for corner in ((0, 0), (_CHECKER_PX, _CHECKER_PX)):
        tile.paste(_CHECKER[1], (*corner, corner[0] + _CHECKER_PX, corner[1] + _CHECKER_PX))
    return tile


def _checkerboard(size: tuple[int, int]) -> Image.Image:
    board, tile = Image.new("RGB", size), _checker_tile()
    for top in range(0, size[1], tile.height):
        for left in range(0, size[0], tile.width):
            board.paste(tile, (left, top))
    return board
