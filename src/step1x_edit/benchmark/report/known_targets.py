"""The report of runs over a suite: one HTML file without outside parts, and the same figures as JSON."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from step1x_edit.benchmark.running import FinishedCase
from step1x_edit.benchmark.scoring import gone_text, recognised_text
from step1x_edit.schema.score import CaseScore, RunSettings, TaskSummary

__all__ = ["ReportedCase", "html_report", "thumbnail"]

SIDE = 176
"""Long side of a thumbnail in pixels."""
QUALITY = 78

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:62rem;padding:0 1rem;color:#222;background:#fff}
table{border-collapse:collapse;margin:1rem 0}th,td{padding:.3rem .8rem;text-align:right;border-bottom:1px solid #ddd}
th:first-child,td:first-child{text-align:left}.row{display:flex;gap:.5rem;margin:.2rem 0 1rem;flex-wrap:wrap}
figure{margin:0}figcaption{font-size:12px;color:#555}img{display:block;border-radius:3px}
.case{break-inside:avoid}.instruction{font-weight:600}
@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}th,td{border-color:#444}figcaption{color:#aaa}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedCase:
    """A scored case with its pictures, small."""

    score: CaseScore
    cells: tuple[tuple[str, str], ...]
    """Caption and data URL of reference, result and target."""


def thumbnail(finished: FinishedCase, score: CaseScore) -> ReportedCase:
    """Return what the report shows of a case; full pictures are not kept in memory."""
    case = finished.case
    cells = (
        ("reference, region outlined", _data_url(_outlined(case.reference, case.mask))),
        (f"result, gain {score.gain:+.2f}", _data_url(Image.fromarray(finished.result))),
        ("target", _data_url(Image.fromarray(case.target))),
    )
    return ReportedCase(score=score, cells=cells)


def html_report(settings: RunSettings, summaries: Sequence[TaskSummary], cases: Sequence[ReportedCase]) -> str:
    """Return the page: a table over tasks, then all cases by task, the worst first."""
    title = f"{html.escape(settings.editor)} on {html.escape(settings.suite)}"
    facts = (
        f"{len(cases)} cases, instructions in {'Chinese' if settings.language == 'zh' else 'English'}, "
        f"seed {settings.seed}, editor version {html.escape(settings.editor_version)}, "
        f"suite {settings.manifest_hash[:16]}"
    )
    ordered = sorted(cases, key=lambda one: (one.score.task.value, one.score.gain))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{_STYLE}</style><h1>{title}</h1><p>{facts}</p>{_table(summaries)}"
        f"<p>Gain: 1 is the target, 0 is leaving the picture alone, at least &minus;1 a case; inside the region only. "
        f"Outside: PSNR in dB against the reference. Recognised: share of cases in which "
        f"a frozen network recognises the object that was asked for; gone: in which it no longer recognises the old one; "
        f"in brackets the shares in the true targets and in the references. Direction: cosine between the asked and "
        f"the made change of mean colour. All tasks alike: outside only of edits of one object.</p>"
        f"{''.join(_case(one) for one in ordered)}</html>"
    )


def _table(summaries: Sequence[TaskSummary]) -> str:
    heads = (
        "task",
        "cases",
        "gain, mean",
        "median",
        "outside, dB",
        "perceptual",
        "recognised",
        "old gone",
        "direction",
    )
    rows = [
        (
            summary.task.paper_name if summary.task else "all tasks alike",
            str(summary.cases),
            f"{summary.gain_mean:+.2f}",
            f"{summary.gain_median:+.2f}",
            _number(summary.psnr_outside, ".1f"),
            _number(summary.perceptual_outside, ".3f"),
            recognised_text(summary),
            gone_text(summary),
            _number(summary.colour_direction, "+.2f"),
        )
        for summary in summaries
    ]
    cells = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>{cells}</table>"


def _case(one: ReportedCase) -> str:
    score = one.score
    facts = f"{score.task.paper_name}{', ' + html.escape(score.detail) if score.detail else ''}"
    facts += f"; outside {_number(score.psnr_outside, '.1f')} dB"
    if score.recognised is not None:
        facts += f"; {'recognised' if score.recognised.result else 'not recognised'}"
    if score.gone is not None:
        facts += f"; old object {'gone' if score.gone.result else 'still there'}"
    figures = "".join(
        f'<figure><img alt="{html.escape(caption)}" src="{url}"><figcaption>{html.escape(caption)}</figcaption></figure>'
        for caption, url in one.cells
    )
    return (
        f'<div class="case"><div class="instruction">{html.escape(score.instruction)}</div>'
        f'<div>{facts}</div><div class="row">{figures}</div></div>'
    )


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _outlined(picture: np.ndarray, mask: np.ndarray) -> Image.Image:
    """Draw the region's edge in white and black."""
    shown = Image.fromarray(picture)
    if mask.all() or not mask.any():
        return shown
    inner = mask.copy()
    inner[1:] &= mask[:-1]
    inner[:-1] &= mask[1:]
    inner[:, 1:] &= mask[:, :-1]
    inner[:, :-1] &= mask[:, 1:]
    edge = np.argwhere(mask & ~inner)
    drawing = ImageDraw.Draw(shown)
    for row, column in edge.tolist():
        drawing.point((column, row), fill="white" if (row + column) // 4 % 2 else "black")
    return shown


def _data_url(picture: Image.Image) -> str:
    small = picture.copy()
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, format="WEBP", quality=QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
