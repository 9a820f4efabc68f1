"""The report of judged runs as one HTML page without outside parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING

from step1x_edit.benchmark.report.charts import Series, bars, radar
from step1x_edit.benchmark.report.judged_report import JudgedReport
from step1x_edit.benchmark.report.wording import FILTERS, LANGUAGE_NAMES, facts_of, title_of
from step1x_edit.errors import MissingExtra
from step1x_edit.schema.judged_scores import Average, ScoreSection, ScoreTable, TaskScores
from step1x_edit.schema.tasks import EditTask

if TYPE_CHECKING:
    import jinja2

__all__ = ["judged_page"]

_NOTHING = Average(value=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _TaskView:
    """One language's means by task, drawn and as a table."""

    title: str
    radar: str
    bars: str
    rows: list[tuple[EditTask, list[TaskScores | None]]]


def judged_page(report: JudgedReport) -> str:
    """Return the page; equal reports give equal bytes.

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    text = _template("report.html").render(
        title=title_of(report),
        css=_part("report.css"),
        script=_part("report.js"),
        judge=report.runs[0].judge,
        methods=[run.method for run in report.runs],
        rival=report.rival,
        headlines=[one for one in report.tables[0].sections if one.subset == "full"],
        overview=list(_overview(report.tables)),
        by_task=list(_by_task(report.tables)),
        differences=report.differences,
        languages=[one for one in LANGUAGE_NAMES if any(case.ours.case.language == one for case in report.cases)],
        sections=[(task, list(cases)) for task, cases in groupby(report.cases, key=lambda one: one.ours.case.task)],
        facts=facts_of(report),
    )
    return f"{text}\n"


def _overview(tables: Sequence[ScoreTable]) -> Iterator[tuple[str, list[tuple[str, ScoreSection]]]]:
    for ours in tables[0].sections:
        found = [(table.method, table.section(ours.language, ours.subset)) for table in tables]
        yield _title(ours), [(method, section) for method, section in found if section is not None]


def _by_task(tables: Sequence[ScoreTable]) -> Iterator[_TaskView]:
    for ours in tables[0].sections:
        if ours.subset == "full":
            sections = [table.section(ours.language, ours.subset) for table in tables]
            rows = [(one.task, [_of_task(section, one.task) for section in sections]) for one in ours.tasks]
            names = [task.paper_name for task, _ in rows]
            series = [
                Series(name=table.method, means=tuple(_overall(cells[place]) for _, cells in rows))
                for place, table in enumerate(tables)
            ]
            title = _title(ours)
            yield _TaskView(
                title=title,
                radar=radar(names, series, title=f"O by task as a radar, {title}; the table below has the numbers"),
                bars=bars(
                    names, series, title=f"O by task with 95 % intervals, {title}; the table below has the numbers"
                ),
                rows=rows,
            )


def _title(section: ScoreSection) -> str:
    return f"{LANGUAGE_NAMES[section.language]}, {section.subset} set"


def _of_task(section: ScoreSection | None, task: EditTask) -> TaskScores | None:
    return next((one for one in section.tasks if one.task is task), None) if section else None


def _overall(scores: TaskScores | None) -> Average:
    return scores.means["O"] if scores else _NOTHING


def _template(name: str) -> jinja2.Template:
    try:
        import jinja2
    except ImportError as missing:
        raise MissingExtra(
            given="an installation without jinja2",
            expected="the extra `bench`",
            remedy="Install it with `pip install step1x-edit[bench]`.",
        ) from missing
    known = jinja2.Environment(
        loader=jinja2.DictLoader({name: _part(name)}),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    known.filters.update(FILTERS)
    return known.get_template(name)


def _part(name: str) -> str:
    return (files("step1x_edit.benchmark.report") / "page" / name).read_text(encoding="utf-8")
