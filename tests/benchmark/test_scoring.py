"""Scores: the target is 1, leaving the picture is 0, and the detector's word counts only where it can tell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn_cases import scene

from step1x_edit.benchmark.classical import ClassicalEditor
from step1x_edit.benchmark.editors import IdentityEditor
from step1x_edit.benchmark.report import html_report, thumbnail
from step1x_edit.benchmark.running import FinishedCase, run_suite
from step1x_edit.benchmark.scoring import score_case, summarise
from step1x_edit.benchmark.suites import BenchmarkCase, Suite
from step1x_edit.experts.answers import Detection
from step1x_edit.experts.embedded import EmbeddedExperts
from step1x_edit.schema.score import RunSettings
from step1x_edit.schema.tasks import EditTask

NOBODY = Path("/nowhere")


class RedFinder(EmbeddedExperts):
    """Finds red boxes, as a detector would."""

    def available(self, expert: str) -> bool:
        return expert == "detect"

    def detect(self, picture: np.ndarray) -> tuple[Detection, ...]:
        red = (picture[..., 0] > 150) & (picture[..., 1] < 90)
        if not red.any():
            return ()
        rows, columns = np.nonzero(red)
        box = (float(columns.min()), float(rows.min()), float(columns.max()), float(rows.max()))
        return (Detection(label="box", score=0.9, box=box),)


def finished(case: BenchmarkCase, result: np.ndarray) -> FinishedCase:
    return FinishedCase(case=case, instruction=case.instruction("en"), result=result, seconds=0.1)


@pytest.fixture(scope="module")
def nobody() -> EmbeddedExperts:
    return EmbeddedExperts(NOBODY)


def test_the_target_scores_one_and_the_reference_zero(suite: Suite, nobody: EmbeddedExperts) -> None:
    for case in suite.cases:
        assert score_case(finished(case, case.target), nobody).gain == 1
        left = score_case(finished(case, case.reference), nobody)
        assert left.gain == 0
        assert left.psnr_outside in (None, 100)


def test_a_wild_result_counts_minus_one(suite: Suite, nobody: EmbeddedExperts) -> None:
    case = next(one for one in suite.cases if one.record.task is EditTask.BACKGROUND_CHANGE)
    assert score_case(finished(case, 255 - case.target), nobody).gain == -1


def test_the_right_hue_points_along_the_wrong_one_against(suite: Suite, nobody: EmbeddedExperts) -> None:
    case = next(one for one in suite.cases if one.record.task is EditTask.BACKGROUND_CHANGE)
    toward = score_case(finished(case, case.target), nobody).colour_direction
    away = np.clip(2 * case.reference.astype(int) - case.target, 0, 255).astype(np.uint8)
    against = score_case(finished(case, away), nobody).colour_direction
    assert toward == pytest.approx(1, abs=1e-6)
    assert against is not None
    assert against < 0


def removal(case: BenchmarkCase) -> BenchmarkCase:
    picture, mask = scene(0)
    wall = np.where(mask[..., None], np.array((60, 140, 70), dtype=np.uint8), picture)
    record = case.record.model_copy(update={"task": EditTask.SUBJECT_REMOVAL})
    return BenchmarkCase(record=record, reference=picture, target=wall, mask=mask)


def test_a_detector_says_whether_the_object_is_gone(suite: Suite) -> None:
    case, eyes = removal(suite.cases[0]), RedFinder(NOBODY)
    assert score_case(finished(case, case.target), eyes).object_right is True
    assert score_case(finished(case, case.reference), eyes).object_right is False


def test_a_detector_that_cannot_tell_is_not_asked(suite: Suite) -> None:
    case = removal(suite.cases[0])
    nameless = BenchmarkCase(
        record=case.record.model_copy(update={"aux": case.record.aux.model_copy(update={"subject": "harp"})}),
        reference=case.reference,
        target=case.target,
        mask=case.mask,
    )
    assert score_case(finished(nameless, case.reference), RedFinder(NOBODY)).object_right is None


def test_classical_rules_beat_leaving_pictures_alone(suite: Suite, nobody: EmbeddedExperts, tmp_path: Path) -> None:
    def overall(editor: IdentityEditor | ClassicalEditor) -> float:
        folder = tmp_path / editor.name
        return summarise([score_case(one, nobody) for one in run_suite(suite, editor, folder)])[-1].gain_mean

    assert overall(IdentityEditor()) == 0
    assert overall(ClassicalEditor()) > 0.5


def test_every_task_weighs_the_same_in_the_last_line(suite: Suite, nobody: EmbeddedExperts) -> None:
    grown: Callable[[BenchmarkCase], np.ndarray] = lambda case: (  # noqa: E731
        case.target if case.record.task is EditTask.TONE_TRANSFORMATION else case.reference
    )
    scores = [score_case(finished(case, grown(case)), nobody) for case in suite.cases[:3]]
    last = summarise(scores)[-1]
    assert last.task is None
    assert (last.cases, last.gain_mean) == (3, 0.5)


def test_the_report_needs_nothing_but_itself(suite: Suite, nobody: EmbeddedExperts) -> None:
    results = [finished(case, case.target) for case in suite.cases]
    scores = [score_case(one, nobody) for one in results]
    settings = RunSettings(
        suite="drawn <1>",
        manifest_hash=suite.manifest_hash,
        editor="target",
        editor_version="1",
        language="en",
        seed=0,
    )
    page = html_report(settings, summarise(scores), [thumbnail(*both) for both in zip(results, scores, strict=True)])
    assert "drawn &lt;1&gt;" in page
    assert page.count("data:image/webp;base64,") == 3 * len(suite.cases)
    assert not any(outside in page for outside in ("http://", "https://", "<script", 'src="/'))
