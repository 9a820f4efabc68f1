"""Scores and leaderboards as tables in the terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from step1x_edit.benchmark.leaderboard import Leaderboard, LeaderboardRow
from step1x_edit.schema.judged_scores import (
    METRICS,
    Average,
    Counts,
    Metric,
    PairedDifference,
    ScoreSection,
    ScoreTable,
)
from step1x_edit.schema.tasks import EditTask

__all__ = ["leaderboard_markdown", "show_differences", "show_leaderboard", "show_left_out", "show_table"]

TABLE_WIDTH = 150
"""Columns of text that a table takes in a file or a pipe."""
SHOWN = 10
"""Cases left out that are named; the rest is counted."""


def show_table(table: ScoreTable, section: ScoreSection) -> None:
    """Print one language and subset of an editor's scores."""
    judge = f"{table.judge.model}, prompts {table.judge.prompt_sha256[:12]}"
    words = " (own wording)" if table.judge.own_prompts else ""
    official = ", official arithmetic" if table.arithmetic == "official" else ""
    title = f"{table.method}, {section.language}, {section.subset} · {judge}{words}{official}"
    shown = Table(title=escape(title))
    shown.add_column("task", no_wrap=True)
    for head in (*METRICS, "scored", "unscored", "missing", "unjudged"):
        shown.add_column(head, justify="right", no_wrap=True)
    for one in section.tasks:
        last = one is section.tasks[-1]
        shown.add_row(one.task.paper_name, *_means(one.means), *_counts(one.counts), end_section=last)
    shown.add_row("all tasks alike (official)", *_means(section.macro), *_counts(section.counts))
    shown.add_row("all cases alike", *_means(section.sample), *_counts(section.counts))
    _console().print(shown)
    if section.unserved:
        names = ", ".join(task.paper_name for task in section.unserved)
        _console().print(f"No mean over tasks: no scored case of {names}.")


def show_left_out(table: ScoreTable) -> None:
    """Print the cases for which the released scorer would have made a score up."""
    console = _console()
    if table.left_out:
        console.print(f"{len(table.left_out)} cases of {table.method} are left out, not guessed:", markup=False)
    for one in table.left_out[:SHOWN]:
        console.print(f"  {one.case}: {one.reason}", markup=False, soft_wrap=True)
    if len(table.left_out) > SHOWN:
        console.print(f"  and {len(table.left_out) - SHOWN} more")


def show_differences(differences: Sequence[PairedDifference]) -> None:
    """Print how much better the second editor of each pair did."""
    if not differences:
        return
    shown = Table(title="second minus first, on the cases that both have scored; every task with the same weight")
    for head in ("first", "second", "cases", "", "difference", "better", "equal", "worse", "p", "p (Holm)"):
        shown.add_column(head, justify="left" if head in ("first", "second", "cases") else "right", no_wrap=True)
    for one in differences:
        shown.add_row(
            *(escape(one.first), escape(one.second), f"{one.cases} {one.language} {one.subset}", one.metric),
            _signed(one.macro),
            *(str(one.wins), str(one.ties), str(one.losses), f"{one.p_value:.4f}", f"{one.p_adjusted:.4f}"),
        )
    _console().print(shown)


def show_leaderboard(board: Leaderboard, *, per_task: bool) -> None:
    """Print the rows, what to know of single ones, and which may be compared."""
    shown = Table(title=f"GEdit-Bench, {board.language}, {board.subset}, published rows judged by {board.family}")
    for place, head in enumerate(_heads(per_task)):
        shown.add_column(
            head, justify="left" if place == 0 or head in ("judge", "date", "source", "prompts") else "right"
        )
    for row in board.rows:
        shown.add_row(*(escape(cell) for cell in _cells(row, per_task)), style="bold" if row.own else None)
    console = _console()
    console.print(shown)
    for line in _remarks(board):
        console.print(line, markup=False, soft_wrap=True)


def leaderboard_markdown(board: Leaderboard, *, per_task: bool) -> str:
    """Return the leaderboard as Markdown."""
    heads = _heads(per_task)
    lines = [f"# GEdit-Bench, {board.language}, {board.subset}", ""]
    lines += ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += [
        "| " + " | ".join(cell.replace("|", "\\|") for cell in _cells(row, per_task)) + " |" for row in board.rows
    ]
    lines += ["", *(f"- {line}" for line in _remarks(board))]
    return "\n".join(lines) + "\n"


def _heads(per_task: bool) -> tuple[str, ...]:
    tasks = tuple(task.benchmark_key for task in EditTask) if per_task else ()
    return ("editor", *METRICS, *tasks, "group", "judge", "date", "source", "prompts")


def _cells(row: LeaderboardRow, per_task: bool) -> tuple[str, ...]:
    overall = _number(row.O)
    if row.interval is not None:
        overall += f" ({row.interval.low:.2f}–{row.interval.high:.2f})"
    tasks = tuple(_number(row.tasks.get(task)) for task in EditTask) if per_task else ()
    prompts = f"{row.prompts} {row.prompt_sha256[:12]}" if row.prompt_sha256 else row.prompts
    name = f"{row.model} *" if row.own else row.model
    return (
        *(name, _number(row.SC), _number(row.PQ), overall, *tasks),
        *(row.group, row.judge, row.date, row.source, prompts),
    )


def _remarks(board: Leaderboard) -> list[str]:
    own = ["* judged here."] if any(row.own for row in board.rows) else []
    notes: dict[str, list[str]] = {}
    for row in board.rows:
        for note in row.notes:
            notes.setdefault(note, []).append(f"{row.model} ({row.group}, {row.date})")
    said = (f"{note[0].upper()}{note[1:]}: {', '.join(models)}." for note, models in notes.items())
    return [*own, *(f"Warning: {one}" for one in board.warnings), *said]


def _means(means: dict[Metric, Average]) -> list[str]:
    return [_averaged(means[metric]) for metric in METRICS]


def _averaged(mean: Average) -> str:
    if mean.value is None or mean.interval is None:
        return _number(mean.value)
    return f"{mean.value:.3f} ({mean.interval.low:.2f}–{mean.interval.high:.2f})"


def _signed(mean: Average) -> str:
    between = f" ({mean.interval.low:+.2f} … {mean.interval.high:+.2f})" if mean.interval else ""
    return "–" if mean.value is None else f"{mean.value:+.3f}{between}"


def _counts(counts: Counts) -> list[str]:
    return [str(one) for one in (counts.scored, counts.unscored, counts.missing, counts.unjudged)]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _console() -> Console:
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, TABLE_WIDTH)
    return console
