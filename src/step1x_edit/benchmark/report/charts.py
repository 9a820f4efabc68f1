"""Charts of the report: means per task as a radar and as bars, drawn as SVG so that they travel inside the page."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin

from step1x_edit.schema.judged_scores import Average

__all__ = ["Series", "bars", "radar"]

HIGHEST = 10.0
"""Scores go from 0 to this."""
RADIUS = 150
"""Of the radar, in units of the drawing."""
FEWEST_AXES = 3
BAR, GAP, LABELS, LENGTH = 11, 9, 170, 430
"""Height of a bar, space between tasks, width of the names, length of a bar of 10; all in units of the drawing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One editor's means, one for each task of the chart."""

    name: str
    means: tuple[Average, ...]


def radar(tasks: Sequence[str], series: Sequence[Series], *, title: str) -> str:
    """Draw a polygon for each editor over one axis for each task; "" for fewer than three tasks.

    Args:
        tasks: Names on the axes, clockwise from the top.
        series: Editors; one without a mean for some task has its polygon open there.
        title: What is shown, for those who cannot see it.
    """
    if len(tasks) < FEWEST_AXES:
        return ""
    rings = "".join(
        f'<polygon class="ring" points="{_points([value] * len(tasks))}"/>'
        f'<text class="tick" x="4" y="{-value / HIGHEST * RADIUS - 2:.1f}">{value:g}</text>'
        for value in (2.0, 4.0, 6.0, 8.0, 10.0)
    )
    axes = "".join(_axis(place, len(tasks), name) for place, name in enumerate(tasks))
    shapes = "".join(_shape(one, colour) for colour, one in enumerate(series))
    return _drawing(f"{rings}{axes}{shapes}", box=(-290, -190, 580, 380), title=title, kind="radar")


def bars(tasks: Sequence[str], series: Sequence[Series], *, title: str) -> str:
    """Draw a bar with its interval for each task and editor."""
    group = len(series) * BAR + GAP
    height = len(tasks) * group
    grid = "".join(
        f'<line class="ring" x1="{_x(value)}" x2="{_x(value)}" y1="0" y2="{height}"/>'
        f'<text class="tick" text-anchor="middle" x="{_x(value)}" y="{height + 12}">{value:g}</text>'
        for value in (0.0, 2.0, 4.0, 6.0, 8.0, 10.0)
    )
    rows = "".join(_row(place, name, series, top=place * group + GAP / 2) for place, name in enumerate(tasks))
    return _drawing(f"{grid}{rows}", box=(0, -4, LABELS + LENGTH + 50, height + 22), title=title, kind="bars")


def _drawing(content: str, *, box: tuple[int, int, int, int], title: str, kind: str) -> str:
    name = html.escape(title, quote=True)
    return (
        f'<svg class="{kind}" role="img" aria-label="{name}" viewBox="{" ".join(map(str, box))}">'
        f"<title>{name}</title>{content}</svg>"
    )


def _axis(place: int, places: int, name: str) -> str:
    x, y = _at(HIGHEST, place, places)
    side = "middle" if abs(x) < 1 else ("start" if x > 0 else "end")
    return (
        f'<line class="ring" x1="0" y1="0" x2="{x:.1f}" y2="{y:.1f}"/>'
        f'<text text-anchor="{side}" x="{x * 1.06:.1f}" y="{y * 1.12 + 4:.1f}">{html.escape(name)}</text>'
    )


def _shape(series: Series, colour: int) -> str:
    places = len(series.means)
    known = [(place, mean.value) for place, mean in enumerate(series.means) if mean.value is not None]
    dots = "".join(
        f'<circle r="3" cx="{x:.1f}" cy="{y:.1f}"><title>{html.escape(series.name)}: {value:.2f}</title></circle>'
        for place, value in known
        for x, y in [_at(value, place, places)]
    )
    points = " ".join("{:.1f},{:.1f}".format(*_at(value, place, places)) for place, value in known)
    outline = f'<{"polygon" if len(known) == places else "polyline"} points="{points}"/>'
    return f'<g class="shape s{colour}">{outline}{dots}</g>'


def _row(place: int, task: str, series: Sequence[Series], *, top: float) -> str:
    middle = top + len(series) * BAR / 2
    label = f'<text text-anchor="end" x="{LABELS - 8}" y="{middle + 4:.1f}">{html.escape(task)}</text>'
    return label + "".join(_bar(one, place, colour, top + colour * BAR) for colour, one in enumerate(series))


def _bar(series: Series, place: int, colour: int, top: float) -> str:
    mean = series.means[place]
    if mean.value is None:
        return f'<text class="tick" x="{LABELS + 4}" y="{top + BAR - 2:.1f}">not scored</text>'
    whisker, end = "", _x(mean.value)
    if mean.interval is not None:
        low, end, middle = _x(mean.interval.low), _x(mean.interval.high), top + BAR / 2 - 0.5
        whisker = f'<line class="whisker" x1="{low}" x2="{end}" y1="{middle:.1f}" y2="{middle:.1f}"/>'
    words = f"{html.escape(series.name)}, {html.escape(_said(mean))}"
    return (
        f'<g class="s{colour}"><title>{words}</title>'
        f'<rect x="{LABELS}" y="{top:.1f}" width="{mean.value / HIGHEST * LENGTH:.1f}" height="{BAR - 1}"/>{whisker}'
        f'<text class="tick" x="{end + 4:.1f}" y="{top + BAR - 2:.1f}">{mean.value:.2f}</text></g>'
    )


def _said(mean: Average) -> str:
    interval = "" if mean.interval is None else f", 95 % interval {mean.interval.low:.2f} to {mean.interval.high:.2f}"
    return f"{mean.value:.2f}{interval}"


def _at(value: float, place: int, places: int) -> tuple[float, float]:
    angle = 2 * pi * place / places
    return value / HIGHEST * RADIUS * sin(angle), -value / HIGHEST * RADIUS * cos(angle)


def _points(values: Sequence[float]) -> str:
    return " ".join("{:.1f},{:.1f}".format(*_at(value, place, len(values))) for place, value in enumerate(values))


def _x(value: float) -> float:
    return round(LABELS + value / HIGHEST * LENGTH, 1)
