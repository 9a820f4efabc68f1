"""Numbers and settings of the report in words, the same on the page and in Markdown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from step1x_edit.benchmark.report.judged_report import JudgedReport
from step1x_edit.schema.judged import CaseLanguage, JudgedCase
from step1x_edit.schema.judged_scores import Average

__all__ = ["FILTERS", "LANGUAGE_NAMES", "averaged", "chance", "facts_of", "judged", "score", "signed", "title_of"]

LANGUAGE_NAMES: dict[CaseLanguage, str] = {"en": "English", "cn": "Chinese"}
LEAST_P = 0.001
UNKNOWN = "–"


def score(value: float | None) -> str:
    """Return a score with two decimals; a dash where it is not known."""
    return UNKNOWN if value is None else f"{value:.2f}"


def signed(value: float | None) -> str:
    """Return a difference with its sign."""
    return UNKNOWN if value is None else f"{value:+.2f}".replace("-", "−")


def chance(value: float) -> str:
    """Return a p-value; very small ones as a bound."""
    return f"below {LEAST_P:g}" if value < LEAST_P else f"{value:.3f}"


def averaged(mean: Average) -> str:
    """Return a mean with its interval, in one line."""
    between = mean.interval
    return score(mean.value) + (f" ({between.low:.2f} to {between.high:.2f})" if between else "")


def judged(case: JudgedCase | None) -> str:
    """Return the scores of a case, "not scored" where there is a picture without, "" without a picture."""
    if case is None or case.state == "missing":
        return ""
    known = {"O": case.overall, "SC": case.score("consistency"), "PQ": case.score("quality")}
    if all(value is None for value in known.values()):
        return "not scored"
    return " · ".join(
        f"{name} {value:.2f}" if name == "O" else f"{name} {value:g}"
        for name, value in known.items()
        if value is not None
    )


def title_of(report: JudgedReport) -> str:
    """Return the report's heading."""
    return f"{report.runs[0].method}, judged by {report.runs[0].judge.model}"


def facts_of(report: JudgedReport) -> list[tuple[str, str]]:
    """Return what decided the judge's answers, as names and values."""
    judge = report.runs[0].judge
    wording = "our own wording" if judge.own_prompts else "as given by the user"
    return [
        ("judge", f"{judge.model} ({judge.backend})"),
        ("questions", f"{wording}, SHA-256 {judge.prompt_sha256}"),
        ("order in the message", "text, then pictures" if judge.text_first else "pictures, then text"),
        ("pictures sent", f"{judge.picture_form.upper()}, brought to the size of the source"),
        ("temperature", "the service's default" if judge.temperature is None else f"{judge.temperature:g}"),
        ("longest answer", f"{judge.max_tokens} tokens"),
        ("seed", "none" if judge.seed is None else str(judge.seed)),
    ]


def _as_number(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _language(name: CaseLanguage) -> str:
    return LANGUAGE_NAMES[name]


def _plain(value: float) -> str:
    return f"{value:g}"


FILTERS: dict[str, Callable[[Any], str]] = {
    "score": score,
    "signed": signed,
    "chance": chance,
    "judged": judged,
    "number": _as_number,
    "language": _language,
    "plain": _plain,
}
"""What the page's template may call."""
