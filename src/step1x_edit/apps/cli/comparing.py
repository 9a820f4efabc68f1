"""One picture, several engines and seeds → one sheet, a row for each instruction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from step1x_edit.apps.cli.engine import Engine, load_editor
from step1x_edit.apps.cli.jobs import JobDefaults
from step1x_edit.apps.cli.progress import EditProgress, edit_progress
from step1x_edit.apps.cli.sheets import refuse_other_file, shown, write_sheet
from step1x_edit.apps.cli.stopping import stoppable
from step1x_edit.errors import RequestError
from step1x_edit.pipeline.contact_sheet import SheetCell, SheetRow, contact_sheet, sheet_cell
from step1x_edit.pipeline.intake import read_reference
from step1x_edit.pipeline.outcome import require_writable
from step1x_edit.schema.edit import EditRequest

__all__ = ["run_comparison"]


def run_comparison(
    picture: Path,
    *,
    engines: Sequence[Engine],
    seeds: Sequence[int],
    defaults: JobDefaults,
    target: Path,
    overwrite: bool,
) -> None:
    """Edit one picture in every way asked for and write the sheet.

    Engines are loaded one after the other, so that memory never holds two releases.

    Args:
        picture: The reference image.
        engines: Releases and adapters, each with every seed.
        seeds: Starts of the noise.
        defaults: Instructions and settings common to all.
        target: The sheet, a PNG; an older sheet gives way.
        overwrite: Whether any other file gives way too.

    Raises:
        RequestError: Fewer than two ways, a bad setting or picture, or the name is taken.
    """
    _check(target, ways=len(engines) * len(seeds))
    require_writable(target)
    refuse_other_file(target, overwrite=overwrite)
    requests = [_request(picture, words, seed, defaults) for words in defaults.instructions for seed in seeds]
    before = sheet_cell(shown(read_reference(picture)), "before")
    cells: dict[str, list[SheetCell]] = {words: [before] for words in defaults.instructions}
    with edit_progress(len(engines) * len(requests)) as progress:
        for words, cell in _edited(engines, requests, progress):
            cells[words].append(cell)
    rows = [SheetRow(caption=words, cells=tuple(row)) for words, row in cells.items()]
    write_sheet(contact_sheet(rows, title=f"step1x-edit: {picture.name}"), target, overwrite=overwrite)


def _check(target: Path, *, ways: int) -> None:
    if ways < 2:
        raise RequestError(
            given="one way to edit the picture",
            expected="two or more releases, seeds or adapters",
            remedy="Repeat --release, --seed or --lora.",
        )
    if target.suffix.lower() != ".png":
        raise RequestError(given=f"the sheet {target}", expected="a name ending in .png", remedy="Choose a PNG.")


def _request(picture: Path, words: str, seed: int, defaults: JobDefaults) -> EditRequest:
    return EditRequest(
        reference=picture,
        instruction=words,
        seed=seed,
        steps=defaults.steps,
        guidance_scale=defaults.guidance_scale,
        size_level=defaults.size_level,
        preset=defaults.preset,
    )


def _edited(
    engines: Sequence[Engine], requests: Sequence[EditRequest], progress: EditProgress
) -> Iterator[tuple[str, SheetCell]]:
    """Yield instruction and small result, engine by engine."""
    number = 0
    for engine in engines:
        progress.loading(engine.release)
        editor = load_editor(engine)
        for request in requests:
            label = _label(engine, request)
            with stoppable() as should_stop:
                result = editor.edit(request, on_step=progress.picture(number, label), should_stop=should_stop)
            yield request.instruction, sheet_cell(result.image, label)
            number += 1


def _label(engine: Engine, request: EditRequest) -> str:
    adapters = [f"{path.stem} x {scale:g}" for path, scale in engine.adapters]
    return ", ".join([engine.release, f"seed {request.seed}", *adapters])
