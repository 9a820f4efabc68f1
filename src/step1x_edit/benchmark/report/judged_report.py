"""What the report of judged runs shows: their tables, their differences, and every case with its pictures, worst first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from step1x_edit.benchmark.generation.run_folder import PICTURES, edited_name, source_name
from step1x_edit.benchmark.report.pictures import JudgedPicture, Thumbnail, make_thumbnails
from step1x_edit.benchmark.scores.judged_run import JudgedRun, check_comparable
from step1x_edit.benchmark.scores.pairing import paired_differences
from step1x_edit.benchmark.scores.table import score_table
from step1x_edit.errors import RequestError
from step1x_edit.schema.judged import JudgedCase
from step1x_edit.schema.judged_scores import PairedDifference, ScoreTable
from step1x_edit.schema.tasks import EditTask

__all__ = ["JudgedReport", "ShownCase", "gather_report"]

_TASK_ORDER = {task: place for place, task in enumerate(EditTask)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCase:
    """One case, as one editor did it beside one rival."""

    ours: JudgedCase
    rival: JudgedCase | None
    """The rival's; None without a rival, or where the judge has not seen the case."""
    source: Thumbnail | None
    """None where neither source nor edited picture lies in the folder, as the released code leaves a refused case."""
    edited: Thumbnail | None
    """None where the editor gave no picture."""
    rival_edited: Thumbnail | None

    @property
    def lead(self) -> float | None:
        """How much higher our overall score is than the rival's, where both are known."""
        if self.rival is None or self.ours.overall is None or self.rival.overall is None:
            return None
        return self.ours.overall - self.rival.overall


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedReport:
    """Everything on the page, in Markdown and in JSON."""

    runs: tuple[JudgedRun, ...]
    """The editor that the report is about comes first."""
    tables: tuple[ScoreTable, ...]
    """One for each run, in their order."""
    rival: str | None
    """The editor beside ours in the grids."""
    differences: tuple[PairedDifference, ...]
    cases: tuple[ShownCase, ...]
    """By task; inside a task the lowest overall score first, cases without one last."""


def gather_report(runs: Sequence[JudgedRun], *, rival: str | None = None, seen_from: Path) -> JudgedReport:
    """Average runs and bring their pictures together.

    Args:
        runs: The editor that the report is about, then those it is compared with; all under one judge.
        rival: Which of the others stands beside it in the grids; the second when not given.
        seen_from: Folder of the report; links to originals start there.

    Raises:
        RequestError: No run of this name, or one name twice.
        DataError: The runs may not be compared, a log is empty, or a picture is not the one that was judged.
    """
    check_comparable(list(runs))
    beside = _rival(runs, rival)
    tables = tuple(score_table(run) for run in runs)
    return JudgedReport(
        runs=tuple(runs),
        tables=tables,
        rival=beside.method if beside else None,
        differences=_differences(runs, tables[0]),
        cases=_shown(runs[0], beside, seen_from),
    )


def _differences(runs: Sequence[JudgedRun], ours: ScoreTable) -> tuple[PairedDifference, ...]:
    """Compare every two editors; ours is the second of its pairs, so that a difference above 0 speaks for it."""
    ordered = [*runs[1:], runs[0]]
    if len(ordered) == 1:
        return ()
    return tuple(
        difference
        for part in ours.sections
        for difference in paired_differences(ordered, language=part.language, subset=part.subset)
    )


def _rival(runs: Sequence[JudgedRun], name: str | None) -> JudgedRun | None:
    names = [run.method for run in runs]
    twice = sorted({one for one in names if names.count(one) > 1})
    if twice:
        raise RequestError(
            given=f"two runs named {twice[0]}",
            expected="runs of editors with different names",
            remedy="Give each run once, or rename the folder of one.",
        )
    if name is None:
        return runs[1] if len(runs) > 1 else None
    found = [run for run in runs[1:] if run.method == name]
    if not found:
        raise RequestError(
            given=f"the rival {name!r}",
            expected=f"one of {', '.join(names[1:])}" if names[1:] else "a second run to take it from",
            remedy="Name the folder of the rival's run too.",
        )
    return found[0]


def _shown(ours: JudgedRun, rival: JudgedRun | None, seen_from: Path) -> tuple[ShownCase, ...]:
    ordered = sorted(ours.cases, key=_worst_first)
    others = {one.case: one for one in rival.cases} if rival else {}
    pairs = [(one, others.get(one.case)) for one in ordered]
    wanted = [picture for one in ordered for picture in _source(ours, one)]
    wanted += [picture for one in ordered for picture in _edited(ours, one)]
    if rival is not None:
        wanted += [picture for _, other in pairs if other is not None for picture in _edited(rival, other)]
    thumbnails = make_thumbnails(wanted, seen_from=seen_from)
    return tuple(
        ShownCase(
            ours=one,
            rival=other,
            source=_thumbnail(_source(ours, one), thumbnails),
            edited=_thumbnail(_edited(ours, one), thumbnails),
            rival_edited=None if rival is None or other is None else _thumbnail(_edited(rival, other), thumbnails),
        )
        for one, other in pairs
    )


def _worst_first(case: JudgedCase) -> tuple[int, bool, float, str, str]:
    overall = case.overall
    unknown = overall is None
    return _TASK_ORDER[case.case.task], unknown, overall or 0.0, case.case.language, case.case.key


def _thumbnail(pictures: tuple[JudgedPicture, ...], thumbnails: dict[Path, Thumbnail]) -> Thumbnail | None:
    return thumbnails[pictures[0].path] if pictures else None


def _edited(run: JudgedRun, case: JudgedCase) -> tuple[JudgedPicture, ...]:
    """Return the edited picture, or nothing where there is none."""
    if case.edited_sha256 is None:
        return ()
    return (JudgedPicture(path=_pictures(run) / edited_name(case.case), sha256=case.edited_sha256),)


def _source(run: JudgedRun, case: JudgedCase) -> tuple[JudgedPicture, ...]:
    """Return the source, or nothing where the folder has neither it nor an edited picture."""
    path = _pictures(run) / source_name(case.case)
    if case.edited_sha256 is None and not path.is_file():
        return ()
    return (JudgedPicture(path=path, sha256=case.source_sha256),)


def _pictures(run: JudgedRun) -> Path:
    return run.folder.parent.parent / PICTURES
