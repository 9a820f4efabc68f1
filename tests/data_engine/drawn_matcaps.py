"""A part with a shaded sphere for each number the materials name, drawn here."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from step1x_edit.data_engine.materials import Matcaps, materials
from step1x_edit.experts.parts.store import PartStore
from step1x_edit.experts.parts.table import parts


def sphere(number: int) -> np.ndarray:
    """A sphere lit from above, in a colour of its own, 64 x 64."""
    down = np.linspace(1, 0.1, 64)[:, None, None]
    colour = np.random.default_rng(number).uniform(80, 255, 3)
    return np.broadcast_to(down * colour, (64, 64, 3)).astype(np.uint8)


def drawn_matcaps(folder: Path) -> Matcaps:
    """Write the part's files as the package has them, and open it."""
    store = PartStore(folder)
    home = store.folder_of(parts()[Matcaps.PART])
    home.mkdir(parents=True)
    for number in {number for one in materials().values() for number in one.matcaps}:
        data = io.BytesIO()
        Image.fromarray(sphere(int(number))).save(data, "WEBP", lossless=True)
        url = base64.b64encode(data.getvalue()).decode()
        module = f'const _default = "data:image/webp;base64,{url}";\nexport {{ _default as default }};\n'
        (home / f"{number}.webp.js").write_text(module, encoding="utf-8")
    return Matcaps(store)
