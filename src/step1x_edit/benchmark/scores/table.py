"""The table of a judged run: all means of one editor under one judge."""

from __future__ import annotations

from step1x_edit.benchmark.scores.averaging import score_sections
from step1x_edit.benchmark.scores.judged_run import JudgedRun
from step1x_edit.benchmark.scores.official import official_samples
from step1x_edit.benchmark.scores.samples import own_samples, unjudged_samples
from step1x_edit.schema.judged_scores import Arithmetic, ScoreTable
from step1x_edit.schema.tasks import EditTask

__all__ = ["score_table"]


def score_table(run: JudgedRun, *, arithmetic: Arithmetic = "own") -> ScoreTable:
    """Average a run.

    Args:
        run: The judge's answers.
        arithmetic: ``own``: an answer without two numbers 0..10 is not scored, and a macro mean is over the tasks that the
            run has cases of. ``official``: answers are read as the released scorer reads them, cases for which it would
            guess are listed in ``left_out``, and a macro mean needs all eleven tasks.

    Raises:
        DataError: The log is empty, or holds a case twice.
    """
    left_out, tasks = (), None
    if arithmetic == "official":
        judged, left_out = official_samples(run.cases)
        tasks = tuple(EditTask)
    else:
        judged = own_samples(run.cases)
    samples = (*judged, *unjudged_samples(judged, run.expected))
    return ScoreTable(
        method=run.method,
        judge=run.judge,
        arithmetic=arithmetic,
        sections=score_sections(samples, tasks=tasks),
        left_out=left_out,
    )
