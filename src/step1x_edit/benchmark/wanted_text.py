"""Which lettering an instruction asks for, and which it asks away; as far as it stands in quotes."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["WantedText", "wanted_text"]

_QUOTED = re.compile(r'"([^"]+)"|“([^”]+)”|‘([^’]+)’|「([^」]+)」|《([^》]+)》|(?<![\w])\'([^\']+)\'(?![\w])')
_TAKES_OUT = re.compile(
    r"\b(remove|delete|erase|clear|take out|get rid of)\b|去掉|去除|删除|删掉|移除|擦除|擦掉|清除", re.I
)
_SWAPS = re.compile(
    r"\b(replace|change|turn|swap|modify|alter|update|edit|correct|convert|rename)\b|换成|改成|改为|替换|换为|变成|修改|更改",
    re.I,
)
_TURNS = re.compile(r"\b(with|to|into|by|as)\b|换成|改成|改为|替换|换为|变成|成|为", re.I)

_NEW_FIRST = re.compile(r"\buse\b|用", re.I)
_OLD_LAST = re.compile(r"\bfrom\b|\binstead of\b", re.I)


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedText:
    """Texts that should be in the edited picture, and texts that should no longer be."""

    present: tuple[str, ...]
    absent: tuple[str, ...]


def wanted_text(instruction: str) -> WantedText | None:
    """Read the wanted lettering off an instruction in English or Chinese.

    Args:
        instruction: Such as ``Replace "OPEN" with "CLOSED"`` or ``把“开门”改成“关门”``.

    Returns:
        The texts, or ``None`` where nothing stands in quotes or it is not clear what is asked of it.
    """
    found = [(one.start(), next(group for group in one.groups() if group)) for one in _QUOTED.finditer(instruction)]
    if not found:
        return None
    texts = tuple(text for _, text in found)
    outside = _QUOTED.sub(" ", instruction)
    if _TAKES_OUT.search(outside):
        return WantedText(present=(), absent=texts)
    if not _SWAPS.search(outside):
        return WantedText(present=texts, absent=())
    return _swapped(instruction, found)


def _swapped(instruction: str, found: list[tuple[int, str]]) -> WantedText | None:
    """Tell the old text from the new one: the new one comes last, but for “use B instead of A”."""
    if len(found) == 1:
        place, text = found[0]
        behind = _TURNS.search(instruction[:place])
        return WantedText(present=(text,), absent=()) if behind else WantedText(present=(), absent=(text,))
    if len(found) != 2:
        return None
    (first, old), (second, new) = found
    if _NEW_FIRST.search(instruction[:first]) or _OLD_LAST.search(instruction[first + len(old) : second]):
        old, new = new, old
    return WantedText(present=(new,), absent=(old,))
