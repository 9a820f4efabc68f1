"""Pairs drawn here: textured pictures with a square that changes its colour, as files in every form that is read."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image

Size = tuple[int, int]


def scene(number: int, size: Size = (96, 96)) -> Image.Image:
    """Smooth texture, another for each number."""
    rng = np.random.default_rng(number)
    small = Image.fromarray(rng.integers(0, 256, (size[1] // 8, size[0] // 8, 3), dtype=np.uint8))
    return small.resize(size, Image.Resampling.BICUBIC)


def mask_of(size: Size = (96, 96)) -> Image.Image:
    """White in a box of a quarter of the width and height."""
    mask = Image.new("L", size)
    mask.paste(255, (size[0] // 4, size[1] // 4, size[0] // 2, size[1] // 2))
    return mask


def edited(picture: Image.Image) -> Image.Image:
    """The scene with that box in another colour."""
    return Image.composite(Image.new("RGB", picture.size, (250, 40, 30)), picture, mask_of(picture.size))


def instruction(number: int) -> str:
    return f"Paint square {number} red."


def write_pictures(folder: Path, count: int = 3, size: Size = (96, 96), *, masks: bool = True) -> None:
    """Sub-folders with equal names."""
    for part in ("reference", "target", *(["mask"] if masks else [])):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        picture = scene(number, size)
        picture.save(folder / "reference" / f"{number}.png")
        edited(picture).save(folder / "target" / f"{number}.png")
        if masks:
            mask_of(size).save(folder / "mask" / f"{number}.png")


def write_folder(folder: Path, count: int = 3, size: Size = (96, 96), *, masks: bool = True) -> Path:
    """The convention of equal names, with texts in both languages."""
    write_pictures(folder, count, size, masks=masks)
    for number in range(count):
        (folder / "target" / f"{number}.txt").write_text(instruction(number), encoding="utf-8")
        (folder / "target" / f"{number}.zh.txt").write_text(f"把方块{number}涂成红色。", encoding="utf-8")
    return folder


def table_rows(count: int = 3) -> list[dict[str, str]]:
    return [
        {
            "reference": f"reference/{number}.png",
            "target": f"target/{number}.png",
            "instruction": instruction(number),
            "mask": f"mask/{number}.png",
        }
        for number in range(count)
    ]


def write_csv(folder: Path, rows: list[dict[str, str]]) -> Path:
    path = folder / "pairs.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_jsonl(folder: Path, rows: list[dict[str, str]]) -> Path:
    path = folder / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
