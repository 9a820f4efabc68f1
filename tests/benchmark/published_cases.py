"""A small data set in the published schema of GEdit-Bench, drawn here: both languages, one key in two tasks."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

COLUMNS = (
    "task_type",
    "key",
    "instruction",
    "instruction_language",
    "input_image",
    "input_image_raw",
    "Intersection_exist",
)
Form = Literal["saved", "saved dict", "parquet", "arrow"]
Row = dict[str, Any]

TWICE = "ae3bf75e9abe53ab8e24052ef129d1ef"
"""The key that stands in two tasks, as two of the published ones do."""
# Task, key, wish in English and Chinese, in the intersection, size of the source in pixels (multiples of 32).
DRAWN: tuple[tuple[str, str, str, str, bool, tuple[int, int]], ...] = (
    ("subject-remove", TWICE, "Remove the red box.", "去掉红色的盒子。", True, (96, 64)),
    ("subject-replace", TWICE, "Replace the box with a ball.", "把盒子换成球。", True, (96, 64)),
    ("color_alter", "00" * 16, "Paint the box blue.", "把盒子涂成蓝色。", True, (64, 64)),
    ("background_change", "11" * 16, "Change the background to blue.", "把背景换成蓝色。", False, (64, 96)),
    ("tone_transfer", "22" * 16, "Make it black and white.", "变成黑白照片。", True, (64, 64)),
    ("text_change", "33" * 16, "Change the word to 'OPEN'.", "把文字改成“OPEN”。", False, (96, 64)),
)
"""Six edits, so twelve rows."""


def drawn_source(number: int, size: tuple[int, int]) -> Image.Image:
    """A red box before a green wall, other noise for each number."""
    width, height = size
    rng = np.random.default_rng(number)
    pixels = np.full((height, width, 3), (60, 140, 70), dtype=np.int64) + rng.integers(-6, 7, (height, width, 1))
    pixels[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = (200, 50, 40)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def encoded(picture: Image.Image) -> dict[str, Any]:
    """A picture as the data set stores it: the bytes of a PNG file."""
    content = io.BytesIO()
    picture.save(content, format="PNG")
    return {"bytes": content.getvalue(), "path": None}


def published_rows() -> list[Row]:
    """All rows, the English ones first; both tasks of the doubled key show the same picture."""
    rows = []
    for language in ("en", "cn"):
        for number, (task, key, english, chinese, intersection, size) in enumerate(DRAWN):
            source = drawn_source(max(number, 1), size)
            rows.append(
                {
                    "task_type": task,
                    "key": key,
                    "instruction": english if language == "en" else chinese,
                    "instruction_language": language,
                    "input_image": encoded(source),
                    "input_image_raw": encoded(source.resize((size[0] * 2, size[1] * 2))),
                    "Intersection_exist": intersection,
                }
            )
    return rows


def write_published(
    folder: Path, rows: Sequence[Row] | None = None, *, form: Form = "parquet", split: str = "train"
) -> Path:
    """Write rows (:func:`published_rows` by default) as a data set and return its folder.

    Args:
        folder: Where it goes.
        rows: Columns of the first row are the data set's.
        form: "saved" and "saved dict": by ``save_to_disk``, alone or below its split; "parquet" and "arrow": two
            files named after the split under ``data/``, as the hub holds them.
        split: The one split.
    """
    import datasets

    rows = published_rows() if rows is None else rows
    data = datasets.Dataset.from_list(list(rows))
    for column in ("input_image", "input_image_raw"):
        if column in data.column_names:
            data = data.cast_column(column, datasets.Image())
    if form == "saved":
        data.save_to_disk(str(folder))
    elif form == "saved dict":
        datasets.DatasetDict({split: data}).save_to_disk(str(folder))
    else:
        (folder / "data").mkdir(parents=True)
        for number in range(2):
            _write_file(
                data.shard(2, number, contiguous=True), folder / "data" / f"{split}-{number:05}-of-00002.{form}"
            )
    return folder


def write_hub_cache(cache: Path, name: str, rows: Sequence[Row] | None = None, *, form: Form = "arrow") -> Path:
    """Write a data set where ``huggingface_hub`` keeps a downloaded one, and return the cache's folder."""
    commit = "0" * 40
    repository = cache / f"datasets--{name.replace('/', '--')}"
    write_published(repository / "snapshots" / commit, rows, form=form)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit, encoding="utf-8")
    return cache


def _write_file(data: Any, path: Path) -> None:
    if path.suffix == ".parquet":
        data.to_parquet(str(path))
        return
    import pyarrow

    table = data.with_format("arrow")[:]
    with pyarrow.OSFile(str(path), "wb") as file, pyarrow.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table)
