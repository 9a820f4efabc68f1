"""Make the 40 pairs of the LoRA guide: photographs from the package's own mini suite, and what a cyanotype of each would be.

    python examples/lora/make_pairs.py

The effect is exact and the same for every picture, as a filter or a preset of a photo program would be: lightness, with more
contrast, laid on a line of colours from Prussian blue to paper white. Eight photographs stay apart for looking at the result.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

from step1x_edit.benchmark.suites import open_suite

PAIRS = 40
INSTRUCTION = "turn it into a blue cyanotype print"
INSTRUCTION_ZH = "变成蓝晒照片"

DARK, MIDDLE, PAPER = (4, 22, 66), (38, 105, 170), (244, 246, 236)
"""Colours of shadows, of middle grey and of paper."""


def cyanotype(picture: Image.Image) -> Image.Image:
    """Return a picture as a cyanotype print of equal size."""
    grey = np.asarray(picture.convert("L"), dtype=np.float32) / 255
    light = np.clip((grey - 0.5) * 1.25 + 0.5, 0, 1)
    channels = [np.interp(light, (0, 0.5, 1), values) for values in zip(DARK, MIDDLE, PAPER, strict=True)]
    return Image.fromarray(np.stack(channels, axis=-1).round().astype(np.uint8))


def main() -> None:
    """Write ``reference/``, ``target/``, ``held-out/`` and the table that names the pairs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "pairs", help="folder to write")
    folder = parser.parse_args().out
    for name in ("reference", "target", "held-out"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    lines = []
    for number, case in enumerate(open_suite("mini-ci").cases):
        picture = Image.fromarray(case.reference)
        if number >= PAIRS:
            picture.save(folder / "held-out" / f"{number:02}.png")
            continue
        names = {kind: f"{kind}/{number:02}.png" for kind in ("reference", "target")}
        picture.save(folder / names["reference"])
        cyanotype(picture).save(folder / names["target"])
        lines.append({**names, "instruction": INSTRUCTION, "instruction_zh": INSTRUCTION_ZH})
    table = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (folder / "pairs.jsonl").write_text(table, encoding="utf-8")


if __name__ == "__main__":
    main()
