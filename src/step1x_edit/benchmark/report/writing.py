"""Writes the report of judged runs: the page, and beside it the same as Markdown and JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from step1x_edit.benchmark.report.judged_page import judged_page
from step1x_edit.benchmark.report.judged_report import JudgedReport, ShownCase
from step1x_edit.benchmark.report.markdown import judged_markdown
from step1x_edit.benchmark.running import write_whole
from step1x_edit.schema.judged import JudgedCase

__all__ = ["write_report"]


def write_report(report: JudgedReport, path: Path) -> tuple[Path, Path, Path]:
    """Write a report; nothing in it tells when it was written, so that equal answers give equal bytes.

    Args:
        report: What it shows.
        path: The page; Markdown and JSON lie beside it under the same name.

    Returns:
        The three files: HTML, Markdown, JSON.

    Raises:
        MissingExtra: jinja2 is not installed.
        DataError: The disk is full.
    """
    contents = {".html": judged_page(report), ".md": judged_markdown(report), ".json": _figures(report)}
    paths = {ending: path.with_suffix(ending) for ending in contents}
    for ending, content in contents.items():
        write_whole(paths[ending], content.encode())
    return paths[".html"], paths[".md"], paths[".json"]


def _figures(report: JudgedReport) -> str:
    content = {
        "methods": [run.method for run in report.runs],
        "rival": report.rival,
        "judge": report.runs[0].judge.model_dump(mode="json"),
        "tables": [table.model_dump(mode="json", exclude={"judge"}) for table in report.tables],
        "differences": [one.model_dump(mode="json") for one in report.differences],
        "cases": [_case(one) for one in report.cases],
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _case(shown: ShownCase) -> dict[str, Any]:
    case = {
        **shown.ours.case.model_dump(mode="json"),
        "instruction": shown.ours.instruction,
        "intersection": shown.ours.intersection,
        "source": shown.source and shown.source.link,
        "ours": _scores(shown.ours, shown.edited and shown.edited.link),
    }
    if shown.rival is not None:
        case["rival"] = _scores(shown.rival, shown.rival_edited and shown.rival_edited.link)
    return case


def _scores(case: JudgedCase, link: str | None) -> dict[str, Any]:
    failures = {question: answer.failure for question, answer in case.answers.items() if answer.scores is None}
    return {
        "state": case.state,
        "SC": case.score("consistency"),
        "PQ": case.score("quality"),
        "O": case.overall,
        "missing": case.missing,
        "failures": failures,
        "edited": link,
    }
