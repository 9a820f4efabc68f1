"""The leaderboard: own judged runs among the published rows, and which of them may be compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from string import ascii_uppercase

from pydantic import BaseModel, ConfigDict

from step1x_edit.benchmark.published.tables import JudgeFamily, PublishedRow, PublishedTable, published
from step1x_edit.benchmark.scores.judged_run import JudgedRun
from step1x_edit.benchmark.scores.table import score_table
from step1x_edit.schema.judged import CaseLanguage, JudgeSettings
from step1x_edit.schema.judged_scores import Counts, Interval, ScoreSection, Subset
from step1x_edit.schema.tasks import EditTask

__all__ = ["Leaderboard", "LeaderboardRow", "leaderboard"]

SAME = 0.0015
"""Two printed means of one judge that differ by less are one result printed twice."""
NOISE = 0.2
"""Reports that judged one editor differ by this and more; found by setting their figures side by side."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class LeaderboardRow(_Record):
    """One editor under one judge."""

    model: str
    own: bool
    """Judged here, not printed elsewhere."""
    SC: float | None
    PQ: float | None
    O: float | None  # noqa: E741 - the paper's name
    """Macro means, 0..10."""
    interval: Interval | None = None
    """Of O; published rows have none."""
    counts: Counts | None = None
    tasks: dict[EditTask, float | None] = {}
    """O of each task, where it is known."""
    language: CaseLanguage
    subset: Subset
    source: str
    """Where it was printed, and under which address; of own rows the folder."""
    date: str
    """Of the source; of own rows the day of the judge's last answer."""
    judge: str
    prompts: str
    """Whose wording the judge was asked in."""
    prompt_sha256: str | None
    """Not known of published rows."""
    group: str
    """Rows of one letter were judged alike and may be compared; ``-`` may be compared with none."""
    notes: tuple[str, ...] = ()


class Leaderboard(_Record):
    """Rows of one language and subset, the best O first."""

    language: CaseLanguage
    subset: Subset
    family: JudgeFamily
    rows: tuple[LeaderboardRow, ...]
    warnings: tuple[str, ...]


def leaderboard(
    runs: Sequence[JudgedRun] = (),
    *,
    language: CaseLanguage = "en",
    subset: Subset = "full",
    family: JudgeFamily = "gpt-4.1",
) -> Leaderboard:
    """Merge own runs with the published tables.

    Args:
        runs: Judged runs; those without cases of the language and subset are left out, and named in a warning.
        language: Language of the instructions.
        subset: ``full`` or ``intersection``.
        family: Whose verdicts the published rows are.

    Raises:
        DataError: A log is empty, or holds a case twice.
    """
    rows, absent = _published_rows(language=language, subset=subset, family=family), []
    for run in runs:
        section = score_table(run).section(language, subset)
        if section is None:
            absent.append(run.method)
        else:
            rows.append(_own_row(run, section, family=family))
    lettered = _lettered(sorted(rows, key=_order))
    return Leaderboard(
        language=language, subset=subset, family=family, rows=lettered, warnings=_warnings(lettered, absent)
    )


def _published_rows(*, language: CaseLanguage, subset: Subset, family: JudgeFamily) -> list[LeaderboardRow]:
    rows: list[LeaderboardRow] = []
    for table in published().tables:
        if (table.language, table.subset, table.family) == (language, subset, family):
            for row in table.rows:
                _add(rows, _published_row(table, row))
    return rows


def _add(rows: list[LeaderboardRow], row: LeaderboardRow) -> None:
    """Add a row, or join it with the same result printed elsewhere."""
    for place, known in enumerate(rows):
        if (known.model, known.group) == (row.model, row.group) and abs((known.O or 0) - (row.O or 0)) < SAME:
            update = {"source": f"{known.source}; {row.source}", "tasks": known.tasks or row.tasks}
            rows[place] = known.model_copy(update=update)
            return
    rows.append(row)


def _published_row(table: PublishedTable, row: PublishedRow) -> LeaderboardRow:
    source = published().sources[table.source]
    state = table.judge_state or ("each row's own run" if table.mixed else "")
    return LeaderboardRow(
        model=row.model,
        own=False,
        SC=row.SC,
        PQ=row.PQ,
        O=row.O,
        tasks=dict(row.tasks),
        language=table.language,
        subset=table.subset,
        source=f"{source.title} ({source.where})",
        date=source.date,
        judge=f"{table.judge}, {state}" if state else table.judge,
        prompts="none" if table.family == "people" else "published",
        prompt_sha256=None,
        group=_published_group(table),
        notes=tuple(note for note in (source.note, row.note) if note),
    )


def _published_group(table: PublishedTable) -> str:
    """Name what a table's rows were judged by: a dated state of the judge, one fixed judge, or a report's own run."""
    if table.mixed:
        return "-"
    # The weights of Qwen's judge are fixed; GPT-4.1 is an alias that changes, so every undated table stands for itself.
    return table.judge + (table.judge_state or ("" if table.family != "gpt-4.1" else table.source))


def _own_row(run: JudgedRun, section: ScoreSection, *, family: JudgeFamily) -> LeaderboardRow:
    return LeaderboardRow(
        model=run.method,
        own=True,
        SC=section.macro["SC"].value,
        PQ=section.macro["PQ"].value,
        O=section.macro["O"].value,
        interval=section.macro["O"].interval,
        counts=section.counts,
        tasks={one.task: one.means["O"].value for one in section.tasks},
        language=section.language,
        subset=section.subset,
        source=f"own run ({run.folder})",
        date=_last_asked(run.folder),
        judge=run.judge.model,
        prompts="own wording" if run.judge.own_prompts else "given by the user",
        prompt_sha256=run.judge.prompt_sha256,
        group=f"{run.judge.model_dump_json()} {_case_words(run, section)}",
        notes=tuple(_own_notes(run.judge, section, family=family)),
    )


def _last_asked(folder: Path) -> str:
    """Return the day of the judge's last answer: a re-run that asks nothing leaves the kept answers alone."""
    kept = folder / "answers.jsonl"
    file = kept if kept.is_file() else folder / "log.jsonl"
    return datetime.fromtimestamp(file.stat().st_mtime, tz=UTC).date().isoformat()


def _case_words(run: JudgedRun, section: ScoreSection) -> str:
    chosen = [one for one in run.cases if one.case.language == section.language]
    return str(hash(tuple(sorted((str(one.case), one.source_sha256, one.instruction) for one in chosen))))


def _own_notes(judge: JudgeSettings, section: ScoreSection, *, family: JudgeFamily) -> Iterable[str]:
    if judge.own_prompts:
        yield "asked in our own wording: not comparable with any published row"
    else:
        yield f"asked in the words {judge.prompt_sha256[:12]}: compares only if these are the published ones"
    if judge.structured:
        yield "answers held to a schema, unlike those of published rows"
    if family not in judge.model.lower():
        yield f"judged by {judge.model}: not comparable with rows judged by {family}"
    if not _is_whole(section):
        yield f"{section.counts.cases} cases that are not the whole of GEdit-Bench: not comparable with published rows"
    left = {"without a picture": section.counts.missing, "unscored": section.counts.unscored}
    left["not judged yet"] = section.counts.unjudged
    said = ", ".join(f"{count} {what}" for what, count in left.items() if count)
    if said:
        yield f"left out of the means: {said}"
    if section.unserved:
        yield f"no mean: no scored case of {', '.join(task.paper_name for task in section.unserved)}"


def _is_whole(section: ScoreSection) -> bool:
    facts = published().benchmark
    if section.subset == "intersection":
        return section.counts.cases == facts.intersection[section.language] and len(section.tasks) == len(EditTask)
    return {one.task: one.counts.cases for one in section.tasks} == facts.tasks


def _order(row: LeaderboardRow) -> tuple[bool, float, str]:
    return row.O is None, -(row.O or 0), row.model


def _lettered(rows: Sequence[LeaderboardRow]) -> tuple[LeaderboardRow, ...]:
    groups = list(dict.fromkeys(row.group for row in rows if row.group != "-"))
    letters = {group: _letter(place) for place, group in enumerate(groups)} | {"-": "-"}
    return tuple(row.model_copy(update={"group": letters[row.group]}) for row in rows)


def _letter(place: int) -> str:
    return ascii_uppercase[place] if place < len(ascii_uppercase) else f"G{place + 1}"


def _warnings(rows: Sequence[LeaderboardRow], absent: Sequence[str]) -> tuple[str, ...]:
    found = []
    if len({row.group for row in rows}) > 1:
        found.append(
            "Rows with another letter in the column `group` were judged apart, rows with `-` by a judge of their own: "
            f"compare inside a letter only. Differences below {NOISE} between reports mean little."
        )
    if any(row.own and not any("not comparable" in note for note in row.notes) for row in rows):
        found.append(
            "Own rows use a judge that has changed since the published rows were made: judge published pictures with it "
            "first, and tell the offset."
        )
    found.extend(f"{method} has no cases of this language and subset." for method in absent)
    return tuple(found)
