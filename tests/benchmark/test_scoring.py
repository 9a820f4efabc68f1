"""Scores: the target is 1, leaving the picture is 0, and an object is recognised or gone as in the known pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn_cases import scene

from step1x_edit.benchmark.classical import ClassicalEditor
from step1x_edit.benchmark.editors import IdentityEditor
from step1x_edit.benchmark.recognition import Recogniser, region_of, write_known_objects
from step1x_edit.benchmark.report import html_report, thumbnail
from step1x_edit.benchmark.running import FinishedCase, run_suite
from step1x_edit.benchmark.scoring import gone_text, recognised_text, score_case, summarise
from step1x_edit.benchmark.suites import BenchmarkCase, Suite
from step1x_edit.experts.embedded import EmbeddedExperts
from step1x_edit.schema.score import CaseScore, RunSettings, Sighting
from step1x_edit.schema.tasks import EditTask

NOBODY = Path("/nowhere")


class ColourDescriber(EmbeddedExperts):
    """Describes a picture by its mean colour, as an expert would by what it shows."""

    def available(self, expert: str) -> bool:
        return expert == "features"

    def features(self, picture: np.ndarray) -> np.ndarray:
        return np.resize(picture.mean(axis=(0, 1)).astype(np.float32), 1280) / 255


def finished(case: BenchmarkCase, result: np.ndarray) -> FinishedCase:
    return FinishedCase(case=case, instruction=case.instruction("en"), result=result, seconds=0.1)


def score(finished: FinishedCase) -> CaseScore:
    """Score without any expert."""
    nobody = EmbeddedExperts(NOBODY)
    return score_case(finished, nobody, Recogniser(nobody))


@pytest.fixture(scope="module")
def eyes(tmp_path_factory: pytest.TempPathFactory) -> Recogniser:
    """Knows a red box and a green wall."""
    known = tmp_path_factory.mktemp("known") / "known.safetensors"
    red, green = (np.full((8, 8, 3), colour, dtype=np.uint8) for colour in ((200, 50, 40), (60, 140, 70)))
    write_known_objects(known, [("box", red), ("wall", green)], ColourDescriber(NOBODY))
    return Recogniser(ColourDescriber(NOBODY), known)


def test_the_target_scores_one_and_the_reference_zero(suite: Suite) -> None:
    for case in suite.cases:
        assert score(finished(case, case.target)).gain == 1
        left = score(finished(case, case.reference))
        assert left.gain == 0
        assert left.psnr_outside in (None, 100)


def test_a_wild_result_counts_minus_one(suite: Suite) -> None:
    case = next(one for one in suite.cases if one.record.task is EditTask.BACKGROUND_CHANGE)
    assert score(finished(case, 255 - case.target)).gain == -1


def test_the_right_hue_points_along_the_wrong_one_against(suite: Suite) -> None:
    case = next(one for one in suite.cases if one.record.task is EditTask.BACKGROUND_CHANGE)
    toward = score(finished(case, case.target)).colour_direction
    away = np.clip(2 * case.reference.astype(int) - case.target, 0, 255).astype(np.uint8)
    against = score(finished(case, away)).colour_direction
    assert toward == pytest.approx(1, abs=1e-6)
    assert against is not None
    assert against < 0


def removal(case: BenchmarkCase) -> BenchmarkCase:
    picture, mask = scene(0)
    wall = np.where(mask[..., None], np.array((60, 140, 70), dtype=np.uint8), picture)
    record = case.record.model_copy(update={"task": EditTask.SUBJECT_REMOVAL})
    return BenchmarkCase(record=record, reference=picture, target=wall, mask=mask)


def test_an_object_is_gone_or_still_there(suite: Suite, eyes: Recogniser) -> None:
    case = removal(suite.cases[0])
    gone = score_case(finished(case, case.target), EmbeddedExperts(NOBODY), eyes)
    left = score_case(finished(case, case.reference), EmbeddedExperts(NOBODY), eyes)
    assert gone.recognised is None
    assert gone.gone == Sighting(result=True, target=True, reference=False)
    assert left.gone == Sighting(result=False, target=True, reference=False)
    assert [gone_text(one) for one in summarise([gone, left])] == ["50% (100%, 0%)"] * 2


def test_an_object_that_was_brought_in_is_recognised(suite: Suite, eyes: Recogniser) -> None:
    taken = removal(suite.cases[0])
    record = taken.record.model_copy(update={"task": EditTask.SUBJECT_ADDITION})
    case = BenchmarkCase(record=record, reference=taken.target, target=taken.reference, mask=taken.mask)
    seen = score_case(finished(case, case.target), EmbeddedExperts(NOBODY), eyes)
    assert seen.gone is None
    assert seen.recognised == Sighting(result=True, target=True, reference=False)


def test_without_the_expert_or_for_an_unknown_class_nothing_is_said(suite: Suite, eyes: Recogniser) -> None:
    case = removal(suite.cases[0])
    unseen = score(finished(case, case.target))
    assert unseen.gone is None
    assert gone_text(summarise([unseen])[0]) == "not run"
    assert recognised_text(summarise([unseen])[0]) == "–"
    assert eyes.shows("harp", case.reference, case.mask) is None


def test_a_region_is_a_square_inside_the_picture() -> None:
    picture = np.zeros((40, 60, 3), dtype=np.uint8)
    mask = np.zeros((40, 60), dtype=bool)
    mask[30:40, 50:60] = True
    region = region_of(picture, mask)
    assert region is not None
    assert region.shape == (13, 13, 3)
    mask[:] = True
    whole = region_of(picture, mask)
    assert whole is not None
    assert whole.shape == (40, 40, 3)
    assert region_of(picture, ~mask) is None


def test_classical_rules_beat_leaving_pictures_alone(suite: Suite, tmp_path: Path) -> None:
    def overall(editor: IdentityEditor | ClassicalEditor) -> float:
        folder = tmp_path / editor.name
        return summarise([score(one) for one in run_suite(suite, editor, folder)])[-1].gain_mean

    assert overall(IdentityEditor()) == 0
    assert overall(ClassicalEditor()) > 0.5


def test_every_task_weighs_the_same_in_the_last_line(suite: Suite) -> None:
    grown: Callable[[BenchmarkCase], np.ndarray] = lambda case: (  # noqa: E731
        case.target if case.record.task is EditTask.TONE_TRANSFORMATION else case.reference
    )
    scores = [score(finished(case, grown(case))) for case in suite.cases[:3]]
    last = summarise(scores)[-1]
    assert last.task is None
    assert (last.cases, last.gain_mean) == (3, 0.5)


def test_the_report_needs_nothing_but_itself(suite: Suite) -> None:
    results = [finished(case, case.target) for case in suite.cases]
    scores = [score(one) for one in results]
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
