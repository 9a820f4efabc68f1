"""Settings as TOML text; the standard library reads TOML but does not write it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["toml_text"]


def toml_text(table: Mapping[str, Any]) -> str:
    """Write nested tables, lists, texts, numbers and truth values as TOML.

    Args:
        table: Keys are texts; ``None`` has no place in TOML.
    """
    return "\n".join(_lines(table, ())).strip() + "\n"


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    for key, value in table.items():
        if not _is_table(value) and not _is_tables(value):
            yield f"{_key(key)} = {_value(value)}"
    for key, value in table.items():
        inside = (*path, key)
        name = ".".join(_key(part) for part in inside)
        if _is_table(value):
            yield from ("", f"[{name}]", *_lines(value, inside))
        elif _is_tables(value):
            for one in value:
                yield from ("", f"[[{name}]]", *_lines(one, inside))


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_is_table(one) for one in value)


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else _value(key)


def _value(value: Any) -> str:
    """JSON's texts, numbers and truth values are TOML's."""
    if isinstance(value, list):
        return f"[{', '.join(_value(one) for one in value)}]"
    return json.dumps(value, ensure_ascii=False)
