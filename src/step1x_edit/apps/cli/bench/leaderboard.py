"""``step1x bench leaderboard``: own judged runs among the published results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

__all__ = ["leaderboard"]


def leaderboard(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FOLDER]...", help="Output of `bench judge`; none: published rows only."),
    ] = None,
    language: Annotated[Literal["en", "cn"], typer.Option(help="Language of the instructions.")] = "en",
    subset: Annotated[Literal["full", "intersection"], typer.Option(help="Which cases.")] = "full",
    judge: Annotated[
        Literal["gpt-4.1", "qwen2.5-vl-72b", "people"], typer.Option(help="Whose verdicts the published rows are.")
    ] = "gpt-4.1",
    per_task: Annotated[bool, typer.Option("--per-task", help="Show the overall score of every task.")] = False,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="Write it as Markdown, and as JSON beside it.")
    ] = None,
) -> None:
    """Set own judged runs among the published results; says which rows may be compared."""
    from step1x_edit.apps.cli.bench.score_tables import leaderboard_markdown, show_leaderboard
    from step1x_edit.benchmark.leaderboard import leaderboard as merged
    from step1x_edit.benchmark.running import write_whole
    from step1x_edit.benchmark.scores.judged_run import judged_folders, read_judged_run

    judged = [read_judged_run(folder) for path in runs or () for folder in judged_folders(path)]
    board = merged(judged, language=language, subset=subset, family=judge)
    show_leaderboard(board, per_task=per_task)
    if out is not None:
        write_whole(out.with_suffix(".md"), leaderboard_markdown(board, per_task=per_task).encode())
        write_whole(out.with_suffix(".json"), (board.model_dump_json(indent=1) + "\n").encode())
