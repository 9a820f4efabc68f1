"""Edits forty real photographs with nano and shows them side by side: ``python benchmarks/nano_photographs.py FOLDER``.

No figure comes out: a person looks and counts the edits in which the asked change is recognised. Photographs and sentences
stand in ``nano_photographs.toml``; the photographs are held out of training. Needs the starter pool (`step1x data sources`).
"""

from __future__ import annotations

import argparse
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
from machine import describe_machine
from PIL import Image

from step1x_edit import Editor
from step1x_edit.data_engine.pool import Pool
from step1x_edit.pipeline.contact_sheet import SheetRow, contact_sheet, sheet_cell

EDITS_IN_ROW = 3
"""Of the sheet; each is its photograph and what came of it."""


def main() -> int:
    """Edit, save every result and the sheet, and print machine, versions and the seconds an edit takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weights", type=Path, help="folder of other weights for nano")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    edits = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["edit"]
    pool = Pool.open()
    pictures = {one.id: one for one in pool.pictures if one.kind == "photo"}
    editor = Editor.from_release("nano", weights=given.weights)
    cells, seconds = [], []
    for number, edit in enumerate(edits):
        picture = pictures[edit["photograph"]]
        assert picture.split == "held_out", f"{picture.id} was trained on"
        before = Image.fromarray(np.ascontiguousarray(pool.image(picture)[..., :3]))
        start = time.monotonic()
        after = editor.edit(before, edit["instruction"], seed=given.seed).image
        seconds.append(time.monotonic() - start)
        after.save(given.folder / f"{number:02d}.png")
        cells += [sheet_cell(before, f"{number}"), sheet_cell(after, edit["instruction"])]
        print(f"{number:02d}  {seconds[-1]:.1f} s  {edit['instruction']}", flush=True)
    in_row = 2 * EDITS_IN_ROW
    rows = [SheetRow(caption="", cells=tuple(cells[at : at + in_row])) for at in range(0, len(cells), in_row)]
    contact_sheet(rows, title="nano on held-out photographs").save(given.folder / "sheet.jpg", quality=80)
    print(describe_machine())
    print(f"{len(edits)} edits, median {np.median(seconds):.1f} s, {min(seconds):.1f} to {max(seconds):.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
