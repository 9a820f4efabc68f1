"""Nano on pictures it never saw: edit gain per task on held-out pairs, and a sheet to look at.

Edit gain and preservation are those of ``measures/``; preservation only where a task leaves anything outside. Needs the
pool (``step1x data sources``). Run by hand: ``.venv/bin/python benchmarks/nano_held_out.py``.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import numpy as np
import torch
from machine import describe_machine
from PIL import Image

from step1x_edit import Editor
from step1x_edit.data_engine.pair import EditPair
from step1x_edit.data_engine.pool import Pool
from step1x_edit.data_engine.stream import PairStream
from step1x_edit.measures.edit_gain import edit_gain
from step1x_edit.measures.preservation import outside, psnr
from step1x_edit.pipeline.contact_sheet import SheetRow, contact_sheet, sheet_cell
from step1x_edit.schema.tasks import EditTask

TASKS = (
    EditTask.TONE_TRANSFORMATION,
    EditTask.BACKGROUND_CHANGE,
    EditTask.COLOUR_ALTERATION,
    EditTask.SUBJECT_REMOVAL,
    EditTask.SUBJECT_ADDITION,
    EditTask.SUBJECT_REPLACEMENT,
)


LEAST_OUTSIDE = 0.05
"""Share of the picture that must lie outside the change for preservation to be measured."""


def preservation(pair: EditPair, result: np.ndarray) -> float | None:
    """PSNR in dB away from the changed pixels; none if everything may change."""
    untouched = outside(pair.changed)
    return psnr(pair.reference, result, where=untouched) if untouched.mean() >= LEAST_OUTSIDE else None


def main() -> None:
    """Edit, measure, print, and save the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cases", type=int, default=20, help="held-out pairs of each task")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--guidance", type=float)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sheet", type=Path, default=Path("output/nano_held_out.jpg"))
    parser.add_argument("--shown", type=int, default=4, help="cases of each task on the sheet")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    print(describe_machine())
    editor = Editor.from_release("nano")
    stream = PairStream(Pool.open(), seed=2026, size=given.size, split="held_out")
    rows = []
    for task in TASKS:
        gains, kept = [], []
        for index in range(given.cases):
            pair = stream.of_task(task, index)
            edited = editor.edit(
                Image.fromarray(pair.reference),
                pair.instruction,
                seed=index,
                size_level=given.size,
                steps=given.steps,
                guidance_scale=given.guidance,
            )
            result = np.asarray(edited.image.convert("RGB"))
            gains.append(edit_gain(result, reference=pair.reference, target=pair.target, mask=pair.changed))
            value = preservation(pair, result)
            kept += [] if value is None else [value]
            if index < given.shown:
                cells = [Image.fromarray(pair.reference), edited.image, Image.fromarray(pair.target)]
                labels = ["reference", f"nano, gain {gains[-1]:+.2f}", "target"]
                rows.append(SheetRow(caption=pair.instruction, cells=tuple(map(sheet_cell, cells, labels))))
        kept_words = f"{statistics.mean(kept):.1f} dB" if kept else "-"
        print(
            f"{task.paper_name:24s} gain mean {statistics.mean(gains):+.2f} median {statistics.median(gains):+.2f}"
            f"  outside {kept_words}  ({len(gains)} cases)",
            flush=True,
        )
    if not rows:
        return
    given.sheet.parent.mkdir(parents=True, exist_ok=True)
    contact_sheet(rows, title="nano on held-out pairs").save(given.sheet, quality=85)
    print(f"sheet: {given.sheet}")


if __name__ == "__main__":
    main()
