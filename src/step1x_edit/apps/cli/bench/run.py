"""``step1x bench run``: an editor over a suite → scores against known targets, or pictures for a judge."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from step1x_edit.apps.cli.engine import Engine
    from step1x_edit.schema.judged import CaseLanguage

__all__ = ["run"]

_EDITORS = (
    "A release, `identity` (leaves pictures alone), `classical` (rules, no network); for pictures to judge also a stock "
    "diffusers pipeline (flux-kontext, qwen-image-edit, instruct-pix2pix, omnigen ...), "
    "images:MODEL, gemini:MODEL or pictures:FOLDER."
)
_LANGUAGES: dict[str, tuple[CaseLanguage, ...]] = {"en": ("en",), "zh": ("cn",), "both": ("en", "cn")}


def run(
    suite: Annotated[
        str,
        typer.Option(
            metavar="NAME|PATH",
            help="A suite in the package or a store of triplets; `gedit`, files of GEdit-Bench, or a folder with cases.jsonl.",
        ),
    ] = "mini-ci",
    editor: Annotated[str, typer.Option(help=_EDITORS)] = "nano",
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", help="Folder of results.  [output/bench/SUITE-EDITOR; to judge: output/bench/SUITE]"
        ),
    ] = None,
    language: Annotated[Literal["en", "zh", "both"], typer.Option(help="Language of the instructions.")] = "en",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first case; each case adds its number.")] = 0,
    preset: Annotated[Literal["fast", "balanced", "best"], typer.Option(help="Time or quality.")] = "balanced",
    for_judge: Annotated[
        bool, typer.Option("--for-judge", help="Make pictures for `bench judge` of a suite with known targets too.")
    ] = False,
    task: Annotated[list[str] | None, typer.Option(help="Only this task; repeat for several. (to judge)")] = None,
    per_task: Annotated[
        int | None, typer.Option(min=1, help="At most so many cases a task and language. (to judge)")
    ] = None,
    method: Annotated[str | None, typer.Option(help="Name below results/.  [the editor's] (to judge)")] = None,
    split: Annotated[str | None, typer.Option(help="Split of the data set.  [the one there is] (to judge)")] = None,
    url: Annotated[
        str | None, typer.Option(help="Address of the service; its key is STEP1X_EDITOR_KEY. (to judge)")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Setting of the editor, such as steps=8. (to judge)")
    ] = None,
    at_once: Annotated[int, typer.Option(min=1, max=64, help="Requests under way at a service. (to judge)")] = 4,
    weights: Annotated[Path | None, typer.Option(help="Weights, if not in their usual place.")] = None,
    lora: Annotated[list[str] | None, typer.Option(metavar="PATH[:SCALE]", help="Adapter; repeat for several.")] = None,
    parts: Annotated[
        Path | None, typer.Option(help="Folder of expert parts (`step1x data setup`), if not in its usual place.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Such as cpu, cuda or mps.")] = None,
    dtype: Annotated[str | None, typer.Option(help="bfloat16, float16 or float32.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, max=1024, help="Processor threads.")] = None,
) -> None:
    """Run an editor over a suite: scores where targets are known, pictures in GEdit-Bench's layout where a judge is asked.

    A stopped run goes on where it was.
    """
    from step1x_edit.apps.cli.bench.editing import EditOrder, parse_options, run_edits
    from step1x_edit.apps.cli.bench.running import BenchOrder, run_bench
    from step1x_edit.apps.cli.engine import Engine, parse_adapter
    from step1x_edit.benchmark.cases.opening import is_known_target_suite
    from step1x_edit.benchmark.editors import SIMPLE_EDITORS
    from step1x_edit.errors import RequestError
    from step1x_edit.presets.releases import release_ids
    from step1x_edit.schema.tasks import EditTask

    def engine(release: str) -> Engine:
        adapters = tuple(parse_adapter(text) for text in lora or ())
        return Engine(release=release, weights=weights, adapters=adapters, device=device, dtype=dtype, threads=threads)

    if for_judge or not is_known_target_suite(suite):
        run_edits(
            EditOrder(
                suite=suite,
                split=split,
                languages=_LANGUAGES[language],
                tasks=tuple(EditTask.from_name(name) for name in task or ()),
                per_task=per_task,
                editor=editor,
                engine=engine(editor if editor in release_ids() else "nano"),
                preset=preset,
                url=url,
                options=parse_options(option or ()),
                at_once=at_once,
                method=method,
                out=out or Path("output/bench") / Path(suite).stem,
                seed=seed,
            )
        )
        return
    if language == "both" or task or per_task or method or split or url or option:
        raise RequestError(
            given=f"options for pictures to judge, with the known targets of {suite}",
            expected="--for-judge beside them",
            remedy="Add it, or leave out --language both, --task, --per-task, --method, --split, --url and --option.",
        )
    order = BenchOrder(
        suite=suite,
        editor=editor,
        engine=None if editor in SIMPLE_EDITORS else engine(editor),
        out=out or Path("output/bench") / f"{Path(suite).name}-{editor}{'-zh' if language == 'zh' else ''}",
        language=language,
        seed=seed,
        preset=preset,
        parts=parts,
    )
    run_bench(order)
