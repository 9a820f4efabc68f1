"""Make the 40 pairs of the LoRA guide: pictures from the package's own mini suite, and a three-ink print of each.

    python examples/lora/make_pairs.py

The effect is exact and the same for every picture, as a preset of a photo program would be: lightness, a little smoothed, is cut
into three inks. Pictures that show one of the suite's photographs, the mountain, stay apart for looking at the result;
``examples/photo.jpg`` shows the same place.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageFilter

from step1x_edit.benchmark.suites import open_suite
from step1x_edit.measures.hashing import hamming_distance, perceptual_hash

PAIRS, HELD_OUT, NEAR_BITS = 40, 4, 4
INSTRUCTION = "turn it into a risograph print"
INSTRUCTION_ZH = "变成孔版印刷画"
MOUNTAIN = "66268e7b48f8854d"
"""The photograph in the suite's records of where pictures come from."""

TEAL, CORAL, PAPER = (0, 84, 98), (250, 96, 84), (252, 242, 214)
"""Inks of the dark, the middle and the light third."""
CUTS, SOFTNESS = (0.34, 0.62), 0.03
SMOOTHING_PX = 1.5
Rgb = UInt8[np.ndarray, "height width 3"]


def risograph(picture: Image.Image) -> Image.Image:
    """Return a picture as a print in three inks, of equal size."""
    smooth = picture.convert("L").filter(ImageFilter.GaussianBlur(SMOOTHING_PX))
    light = np.asarray(smooth, dtype=np.float32) / 255
    first, second = CUTS
    places = (first - SOFTNESS, first + SOFTNESS, second - SOFTNESS, second + SOFTNESS)
    channels = [np.interp(light, places, values) for values in zip(TEAL, CORAL, CORAL, PAPER, strict=True)]
    return Image.fromarray(np.stack(channels, axis=-1).round().astype(np.uint8))


def unlike(pictures: Sequence[Rgb]) -> list[Rgb]:
    """Return the pictures without near copies of earlier ones."""
    kept: dict[str, Rgb] = {}
    for pixels in pictures:
        seen_as = perceptual_hash(pixels)
        if all(hamming_distance(seen_as, other) > NEAR_BITS for other in kept):
            kept[seen_as] = pixels
    return list(kept.values())


def main() -> None:
    """Write ``reference/``, ``target/``, ``held-out/`` and the table that names the pairs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "pairs", help="folder to write")
    folder = parser.parse_args().out
    for name in ("reference", "target", "held-out"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    cases = open_suite("mini-ci").cases
    others = [case for case in cases if MOUNTAIN not in case.record.provenance.sources]
    references = [case.reference for case in others]
    mirrored = [np.ascontiguousarray(pixels[:, ::-1]) for pixels in references]
    pictures = unlike([*references, *(case.target for case in others), *mirrored])
    lines = []
    for number, pixels in enumerate(pictures[:PAIRS], start=1):
        picture, names = Image.fromarray(pixels), {kind: f"{kind}/{number:02}.png" for kind in ("reference", "target")}
        picture.save(folder / names["reference"])
        risograph(picture).save(folder / names["target"])
        lines.append({**names, "instruction": INSTRUCTION, "instruction_zh": INSTRUCTION_ZH})
    table = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (folder / "pairs.jsonl").write_text(table, encoding="utf-8")
    kept = [case.reference for case in cases if MOUNTAIN in case.record.provenance.sources]
    for number, pixels in enumerate(kept[:HELD_OUT], start=1):
        Image.fromarray(pixels).save(folder / "held-out" / f"{number}.png")


if __name__ == "__main__":
    main()
