"""The report of judged runs as Markdown: the tables, and the worst cases of each task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice

from step1x_edit.benchmark.report.judged_report import JudgedReport, ShownCase
from step1x_edit.benchmark.report.wording import LANGUAGE_NAMES, averaged, chance, facts_of, judged, signed, title_of
from step1x_edit.schema.judged_scores import METRICS, ScoreSection, ScoreTable

__all__ = ["judged_markdown"]

WORST = 5
"""Cases that are named for each task."""


def judged_markdown(report: JudgedReport) -> str:
    """Return the report as text."""
    lines = [f"# {_plain(title_of(report))}", ""]
    if report.runs[0].judge.own_prompts:
        lines += ["The judge was asked in our own words. These scores do not compare with published tables.", ""]
    for ours in report.tables[0].sections:
        lines += _section(ours, report.tables)
    lines += [*_differences(report), *_worst(report.cases), "## How it was judged", ""]
    lines += [f"- {name}: {_plain(value)}" for name, value in facts_of(report)]
    return "\n".join(lines) + "\n"


def _section(ours: ScoreSection, tables: Sequence[ScoreTable]) -> list[str]:
    title = f"{LANGUAGE_NAMES[ours.language]}, {ours.subset} set"
    found = [(table.method, table.section(ours.language, ours.subset)) for table in tables]
    known = [(method, section) for method, section in found if section is not None]
    heads = ["editor", *METRICS, "O over cases", "scored", "unscored", "missing", "not judged yet"]
    return [
        f"## {title}",
        "",
        *_table(heads, [_overall(method, section) for method, section in known]),
        "",
        *_table(["task", *(method for method, _ in known)], _by_task(ours, [section for _, section in known])),
        "",
    ]


def _overall(method: str, section: ScoreSection) -> list[str]:
    counts = section.counts
    means = [averaged(section.macro[metric]) for metric in METRICS]
    numbers = (counts.scored, counts.unscored, counts.missing, counts.unjudged)
    return [method, *means, averaged(section.sample["O"]), *map(str, numbers)]


def _by_task(ours: ScoreSection, sections: Sequence[ScoreSection]) -> Iterator[list[str]]:
    means = [{one.task: f"{averaged(one.means['O'])}, {one.counts.scored}" for one in each.tasks} for each in sections]
    for row in ours.tasks:
        yield [f"{row.task.paper_name} (O, cases)", *(one.get(row.task, "–") for one in means)]


def _differences(report: JudgedReport) -> list[str]:
    if not report.differences:
        return []
    heads = ["editors", "cases of", "score", "difference", "higher, equal, lower", "p", "p, corrected"]
    rows = [
        [
            f"{one.second} against {one.first}",
            f"{LANGUAGE_NAMES[one.language]}, {one.subset}: {one.cases}",
            one.metric,
            signed(one.macro.value)
            + (
                f" ({signed(one.macro.interval.low)} to {signed(one.macro.interval.high)})"
                if one.macro.interval
                else ""
            ),
            f"{one.wins}, {one.ties}, {one.losses}",
            chance(one.p_value),
            chance(one.p_adjusted),
        ]
        for one in report.differences
    ]
    return ["## Differences", "", *_table(heads, rows), ""]


def _worst(cases: Iterable[ShownCase]) -> list[str]:
    lines = ["## Worst cases", ""]
    for task, shown in groupby(cases, key=lambda one: one.ours.case.task):
        rows = [
            [one.ours.instruction, judged(one.ours) or one.ours.missing, one.ours.case.language, one.ours.case.key]
            for one in islice(shown, WORST)
        ]
        lines += [f"### {task.paper_name}", "", *_table(["instruction", "scores", "language", "key"], rows), ""]
    return lines


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [_row(heads), _row(["---"] * len(heads)), *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_plain(cell) for cell in cells)} |"


def _plain(text: str) -> str:
    """Keep what people and models wrote from being read as Markdown or HTML, or from ending a row."""
    for sign in ("\\", "|", "<", "*", "`", "["):
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())
