"""The materials an object can take (``materials.toml``), by their English and Chinese names, and what they look like."""

from __future__ import annotations

import base64
import io
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from step1x_edit.data_engine.textures import TEXTURES, Texture
from step1x_edit.errors import DataError
from step1x_edit.experts.parts.store import PartStore
from step1x_edit.experts.parts.table import parts

__all__ = ["Matcaps", "Material", "drawn_texture", "materials"]

MATCAP_SIDE = 256
"""A sphere is kept at this side: finer than the normals of an object at 512 px, and small in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A material people name."""

    name: str
    en: tuple[str, ...]
    """As a noun, the usual word first: "gold", "solid gold"."""
    zh: tuple[str, ...]
    matcaps: tuple[str, ...] = ()
    """Numbers of spheres that look like it; none where it has a texture."""
    texture: str = ""
    """Key of :data:`~step1x_edit.data_engine.textures.TEXTURES`."""
    gloss: float = 0.0
    """Strength of the highlight on a texture, 0..1."""
    clear: float = 0.0
    """Share of what is behind that shines through, 0..1."""
    unlike: tuple[str, ...] = ()
    """Object classes that are of this material anyway."""


@cache
def materials() -> dict[str, Material]:
    """Read the materials, keyed by their first English name."""
    table = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return {name: _material(name, entry) for name, entry in table.items()}


def _material(name: str, entry: dict[str, str | float | list[str]]) -> Material:
    fields = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items() if key != "also"}
    also = entry.get("also", [])
    assert isinstance(also, list)
    return Material(name=name, en=(name, *also), **fields)  # pyright: ignore[reportArgumentType]


class Matcaps:
    """Pictures of spheres, one for each material and finish: the part ``matcaps``.

    Args:
        store: Where parts lie; the user's cache folder when not given.
    """

    PART = "matcaps"

    def __init__(self, store: PartStore | None = None) -> None:
        self._store = store or PartStore()
        self._read: dict[str, UInt8[np.ndarray, "side side 3"]] = {}

    @property
    def version(self) -> str:
        """Version of the part."""
        return parts()[self.PART].version

    @property
    def available(self) -> bool:
        """Whether the part is on this machine."""
        return self._store.present(parts()[self.PART])

    def sphere(self, number: str) -> UInt8[np.ndarray, "side side 3"]:
        """Return the sphere of a number, read when first asked for.

        Raises:
            MissingExtra: The part is not there.
            DataError: Its file holds no picture.
        """
        if number not in self._read:
            self._read[number] = _picture_in(self._store.file(self.PART, f"{number}.webp.js"))
        return self._read[number]


def _picture_in(module: Path) -> UInt8[np.ndarray, "side side 3"]:
    """Read the picture that a JavaScript module carries as a data URL."""
    found = re.search(r"base64,([A-Za-z0-9+/=]+)", module.read_text(encoding="utf-8"))
    if found is None:
        raise DataError(
            given=f"{module} without a data URL",
            expected="a module of @pmndrs/assets",
            remedy="Fetch the part again with `step1x data setup`.",
        )
    with Image.open(io.BytesIO(base64.b64decode(found[1]))) as picture:
        return np.asarray(picture.convert("RGB").resize((MATCAP_SIDE, MATCAP_SIDE), Image.Resampling.LANCZOS))


@cache
def drawn_texture(name: str) -> Texture:
    """Draw a texture, once in a process, the same on every machine."""
    return TEXTURES[name](np.random.default_rng(len(name)))
