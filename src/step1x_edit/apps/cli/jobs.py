"""A picture, a folder or a job list → the edits to make, each with its request and the file it goes to.

Everything is checked here, before a release is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from step1x_edit.apps.cli.job_list import JobLine, read_job_list
from step1x_edit.errors import RequestError
from step1x_edit.pipeline.outcome import result_format
from step1x_edit.schema.edit import EditRequest, Preset

__all__ = ["DEFAULT_FOLDER", "Job", "JobDefaults", "JobPlan", "PictureSuffix", "plan_jobs", "result_name"]

PictureSuffix = Literal["png", "webp", "jpg"]

DEFAULT_FOLDER = Path("output")
MAX_SLUG_CHARACTERS = 48

_PICTURE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}
# Names that ask for a file, not a folder, even where we do not write the format.
_FILE_SUFFIXES = _PICTURE_SUFFIXES | {".gif", ".tif", ".tiff", ".bmp", ".avif", ".heic"}
_LIST_SUFFIXES = {".jsonl", ".ndjson"}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDefaults:
    """What the command line says for all edits; a line of a job list may say otherwise."""

    instructions: tuple[str, ...] = ()
    negative_instruction: str | None = None
    seed: int = 0
    steps: int | None = None
    guidance_scale: float | None = None
    size_level: int | None = None
    preset: Preset = "balanced"
    picture_format: PictureSuffix | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One edit and where its result goes."""

    request: EditRequest
    reference: Path
    out: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlan:
    """All edits of one call."""

    jobs: tuple[Job, ...]
    folder: Path
    """Where results without a name of their own, and the contact sheet, go."""


def plan_jobs(source: Path, *, out: Path | None, defaults: JobDefaults) -> JobPlan:
    """Plan the edits of one call.

    Args:
        source: A picture, a folder of pictures, or a job list (``.jsonl``).
        out: Folder of the results, or the file of a single one.
        defaults: What holds for all edits.

    Returns:
        The edits in a fixed order, with a name of its own for each result.

    Raises:
        RequestError: Something is missing, out of range, or would write two results into one file.
    """
    lines = list(_lines(source, defaults))
    folder = out or DEFAULT_FOLDER
    if out is not None and out.suffix.lower() in _FILE_SUFFIXES:
        lines, folder = _with_single_output(lines, out), out.parent
    elif source.is_dir() and folder.resolve() == source.resolve():
        raise RequestError(
            given=f"the output folder {folder}, which is the folder of the pictures",
            expected="another one, so that results are not edited again",
            remedy="Choose another place with --out.",
        )
    return JobPlan(jobs=tuple(_jobs(lines, folder, defaults)), folder=folder)


def result_name(image: Path, instruction: str, *, seed: int, suffix: PictureSuffix | None) -> str:
    """Name a result after picture, instruction and seed; lossless in the picture's own spirit unless a suffix is asked.

    Returns:
        For example ``cat-make-it-night.png``; Chinese stays Chinese, the seed is told unless it is 0.
    """
    slug = re.sub(r"[\W_]+", "-", instruction.lower()).strip("-")[:MAX_SLUG_CHARACTERS].rstrip("-") or "edited"
    suffix = suffix or ("webp" if image.suffix.lower() == ".webp" else "png")
    return f"{image.stem}-{slug}{f'-seed{seed}' if seed else ''}.{suffix}"


def _lines(source: Path, defaults: JobDefaults) -> Iterator[tuple[str, JobLine]]:
    """Yield places for messages and lines; a picture or a folder becomes lines too."""
    if source.suffix.lower() in _LIST_SUFFIXES and source.is_file():
        for place, line in read_job_list(source):
            yield place, line if line.wanted else line.model_copy(update={"instructions": defaults.instructions})
        return
    for picture in _pictures_in(source) if source.is_dir() else [source]:
        yield "", JobLine(image=picture, instructions=defaults.instructions)


def _pictures_in(folder: Path) -> list[Path]:
    pictures = sorted(
        path for path in folder.iterdir() if path.suffix.lower() in _PICTURE_SUFFIXES and not path.name.startswith(".")
    )
    if not pictures:
        raise RequestError(
            given=f"{folder}, a folder without pictures",
            expected="files ending in .png, .jpg, .jpeg or .webp",
            remedy="Check the path of the folder.",
        )
    return pictures


def _with_single_output(lines: list[tuple[str, JobLine]], out: Path) -> list[tuple[str, JobLine]]:
    results = sum(len(line.wanted) for _, line in lines)
    if results > 1:
        raise RequestError(
            given=f"the output file {out} for {results} results",
            expected="a folder when there are several",
            remedy="Give --out the name of a folder.",
        )
    return [(place, line.model_copy(update={"out": Path(out.name)})) for place, line in lines]


def _jobs(lines: Iterable[tuple[str, JobLine]], folder: Path, defaults: JobDefaults) -> Iterator[Job]:
    taken: set[Path] = set()
    for place, line in lines:
        _check(line, place)
        for instruction in line.wanted:
            request = _request(line, instruction, defaults, place)
            name = result_name(line.image, instruction, seed=request.seed or 0, suffix=defaults.picture_format)
            out = folder / line.out if line.out else _free(folder / name, taken)
            result_format(out)
            if out in taken:
                raise RequestError(
                    given=f"{place}the output {out} a second time",
                    expected="one file for each result",
                    remedy="Give every line its own name.",
                )
            taken.add(out)
            yield Job(request=request, reference=line.image, out=out)


def _check(line: JobLine, place: str) -> None:
    if not line.image.is_file():
        what = "a folder" if line.image.is_dir() else "a file that does not exist"
        raise RequestError(
            given=f"{place}{line.image}, {what}",
            expected="a PNG, JPEG or WebP picture",
            remedy="Check the path of the picture.",
        )
    if not line.wanted:
        raise RequestError(
            given=f"{place}no instruction",
            expected="the edit in words",
            remedy="Add it: -i 'make it night'; repeat -i for more.",
        )
    if line.out and len(line.wanted) > 1:
        raise RequestError(
            given=f"{place}one output for {len(line.wanted)} instructions",
            expected="one instruction beside an output name",
            remedy="Leave the name out, or write one line for each instruction.",
        )


def _request(line: JobLine, instruction: str, defaults: JobDefaults, place: str) -> EditRequest:
    own = line.model_dump(include={"negative_instruction", "seed", "steps", "guidance_scale", "size_level"})
    stated = {name: getattr(defaults, name) if value is None else value for name, value in own.items()}
    try:
        return EditRequest(reference=line.image, instruction=instruction, preset=defaults.preset, **stated)
    except RequestError as error:
        raise RequestError(given=place + error.given, expected=error.expected, remedy=error.remedy) from None


def _free(path: Path, taken: set[Path]) -> Path:
    number, free = 2, path
    while free in taken:
        free, number = path.with_stem(f"{path.stem}-{number}"), number + 1
    return free
