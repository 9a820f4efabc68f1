"""Carries out ``step1x bench run`` for cases that are to be judged: cases and editor opened, pictures made, a closing line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from step1x_edit.apps.cli.engine import Engine
from step1x_edit.errors import RequestError
from step1x_edit.presets.releases import release_ids
from step1x_edit.schema.judged import CaseLanguage, GenerationRecord
from step1x_edit.schema.tasks import EditTask

if TYPE_CHECKING:
    from step1x_edit.benchmark.generation.case_editor import CaseEditor
    from step1x_edit.benchmark.generation.gemini import GeminiEditor
    from step1x_edit.benchmark.generation.images_endpoint import ImagesEndpoint
    from step1x_edit.benchmark.generation.run_folder import RunFolder

__all__ = ["EditOrder", "parse_options", "run_edits"]

_RELEASE_OPTIONS = ("steps", "guidance_scale", "size_level", "negative_instruction")


@dataclass(frozen=True, slots=True, kw_only=True)
class EditOrder:
    """What is to be edited, and by whom."""

    suite: str
    split: str | None
    languages: Sequence[CaseLanguage]
    tasks: Sequence[EditTask]
    per_task: int | None
    editor: str
    """A release, an editor without weights, a stock pipeline, or ``images:``, ``gemini:`` or ``pictures:`` and a name."""
    engine: Engine
    """Weights, device and adapters, for those that have them."""
    preset: str
    url: str | None
    options: Mapping[str, Any] = field(default_factory=dict)
    at_once: int
    method: str | None
    out: Path
    seed: int


def parse_options(words: Sequence[str]) -> dict[str, Any]:
    """Read ``NAME=VALUE``; a value that is JSON is taken as such, any other as text.

    Raises:
        RequestError: There is no ``=``.
    """
    options = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals):
            raise RequestError(given=f"--option {word}", expected="NAME=VALUE", remedy="Correct the option.")
        try:
            options[name] = json.loads(value)
        except json.JSONDecodeError:
            options[name] = value
    return options


def run_edits(order: EditOrder) -> None:
    """Edit the chosen cases into the official layout, and say how they went and what comes next."""
    from step1x_edit.apps.cli.progress import edit_progress
    from step1x_edit.benchmark.cases.case_set import chosen_cases
    from step1x_edit.benchmark.cases.opening import open_cases
    from step1x_edit.benchmark.generation.generating import generate
    from step1x_edit.benchmark.generation.run_folder import GenerationSettings, RunFolder

    cases = open_cases(order.suite, split=order.split)
    chosen = chosen_cases(cases, languages=order.languages, tasks=order.tasks, per_task=order.per_task)
    records: list[GenerationRecord] = []
    with edit_progress(1) as bar:
        bar.loading(order.editor)
        editor = _editor(order)
        folder = RunFolder(order.out, order.method or _method(editor.name))
        settings = GenerationSettings(
            suite=cases.name,
            fingerprint=cases.fingerprint,
            editor=editor.name,
            version=editor.version,
            seed=order.seed,
        )
        steps = bar.picture(0, cases.name)
        for record in generate(chosen, editor, folder, settings):
            records.append(record)
            steps(len(records), len(chosen))
    _close(records, folder)


def _close(records: Sequence[GenerationRecord], folder: RunFolder) -> None:
    counts = Counter(record.outcome for record in records)
    console = Console()
    console.print(
        f"{len(records)} cases: {counts['edited']} edited, {counts['refused']} refused, {counts['failed']} failed",
        soft_wrap=True,
    )
    for outcome in ("refused", "failed"):
        reasons = Counter(record.reason for record in records if record.outcome == outcome)
        for reason, times in reasons.most_common(3):
            console.print(f"  {outcome}, {times} times: {reason}", soft_wrap=True, markup=False)
    others = sum(record.outcome == "edited" and not folder.has_own_size(record.case) for record in records)
    if others:
        console.print(f"{others} pictures are not of their source's size: judges see them resized", soft_wrap=True)
    console.print(f"pictures: {folder.path}", soft_wrap=True, markup=False)
    if not counts["edited"]:
        raise RequestError(
            given=f"a run of {len(records)} cases that left no picture",
            expected="at least one to judge",
            remedy="See the reasons above and run it again; refused cases are not asked twice.",
        )


def _method(name: str) -> str:
    """Return an editor's name as a folder's: services name models with slashes and colons."""
    return "".join(sign if sign.isalnum() or sign in "._+-" else "-" for sign in name).strip(".-") or "editor"


def _editor(order: EditOrder) -> CaseEditor:
    kind, colon, name = order.editor.partition(":")
    services: dict[str, Callable[[EditOrder, str], CaseEditor]] = {
        "images": _images,
        "gemini": _gemini,
        "pictures": _pictures,
    }
    if colon and kind in services and name:
        return services[kind](order, name)
    return _local(order)


def _images(order: EditOrder, model: str) -> CaseEditor:
    from step1x_edit.benchmark.generation.images_endpoint import ImagesEndpoint

    return _service(ImagesEndpoint, order, model)


def _gemini(order: EditOrder, model: str) -> CaseEditor:
    from step1x_edit.benchmark.generation.gemini import GeminiEditor

    return _service(GeminiEditor, order, model)


def _service(kind: type[ImagesEndpoint] | type[GeminiEditor], order: EditOrder, model: str) -> CaseEditor:
    from step1x_edit.apps.settings import read_settings

    return kind(
        model=model,
        base_url=order.url,
        key=read_settings().editor_key,
        options=order.options,
        at_once=order.at_once,
    )


def _pictures(order: EditOrder, folder: str) -> CaseEditor:
    from step1x_edit.benchmark.generation.finished import FinishedPictures

    _refuse_options(order, ())
    return FinishedPictures(Path(folder))


def _local(order: EditOrder) -> CaseEditor:
    from step1x_edit.apps.cli.bench.running import release_editor
    from step1x_edit.benchmark.editors import SIMPLE_EDITORS
    from step1x_edit.benchmark.generation.case_editor import PixelEditor
    from step1x_edit.benchmark.generation.stock import StockEditor, stock_pipelines

    if order.editor in SIMPLE_EDITORS:
        _refuse_options(order, ())
        return PixelEditor(SIMPLE_EDITORS[order.editor]())
    engine = order.engine
    if order.editor in stock_pipelines():
        return StockEditor(
            order.editor, weights=engine.weights, device=engine.device, dtype=engine.dtype, options=order.options
        )
    if order.editor not in release_ids():
        raise RequestError(
            given=f"the editor {order.editor!r}",
            expected=f"one of {', '.join([*release_ids(), *SIMPLE_EDITORS, *stock_pipelines()])}, or images:MODEL, "
            "gemini:MODEL, pictures:FOLDER",
            remedy="Correct --editor.",
        )
    _refuse_options(order, _RELEASE_OPTIONS)
    return PixelEditor(release_editor(engine, name=order.editor, preset=order.preset, settings=order.options))


def _refuse_options(order: EditOrder, taken: Sequence[str]) -> None:
    unknown = sorted(order.options.keys() - set(taken))
    if unknown:
        raise RequestError(
            given=f"the option {', '.join(unknown)} for the editor {order.editor}",
            expected=f"one of {', '.join(taken)}" if taken else "none",
            remedy="Correct --option.",
        )
