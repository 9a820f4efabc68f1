"""Judge-free measures: what an edit did to size, place, surround and lettering, for cases of any set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn_cases import scene
from PIL import Image, ImageDraw, ImageFont

from step1x_edit.benchmark.cases.case import JudgeableCase
from step1x_edit.benchmark.judge_free import measure_edit, summarise_judge_free
from step1x_edit.benchmark.wanted_text import WantedText, wanted_text
from step1x_edit.experts.answers import Face, TextLine
from step1x_edit.experts.embedded import EmbeddedExperts
from step1x_edit.schema.judged import CaseId
from step1x_edit.schema.tasks import EditTask

NOBODY = EmbeddedExperts(Path("/nowhere"))


class Reader(EmbeddedExperts):
    """Reads one line in every picture, and sees one face, broader where the picture is brighter."""

    def available(self, expert: str) -> bool:
        return expert in ("read_text", "face_landmarks")

    def read_text(self, picture: np.ndarray) -> tuple[TextLine, ...]:
        return (TextLine(text="CLOSED today", score=1.0, corners=np.zeros((4, 2), np.float32)),)

    def face_landmarks(self, picture: np.ndarray) -> tuple[Face, ...]:
        points = np.random.default_rng(0).normal(20, 5, (468, 2)) * (1 + picture.mean() / 255, 1)
        return (Face(score=1.0, box=(5, 5, 35, 35), landmarks=points.astype(np.float32)),)


def case(task: EditTask = EditTask.COLOUR_ALTERATION, instruction: str = "paint it", *, region: bool = True):
    picture, mask = scene(0)
    made = JudgeableCase(
        id=CaseId(task=task, language="en", key="0"),
        instruction=instruction,
        intersection=True,
        open_source=lambda: Image.fromarray(picture),
        region=(lambda: mask) if region else None,
    )
    return made, picture, mask


def test_an_edit_that_keeps_to_its_region_changes_nothing_outside() -> None:
    made, picture, mask = case()
    edited = picture.copy()
    edited[mask] = (20, 60, 220)
    scores = measure_edit(made, Image.fromarray(edited), NOBODY)
    assert (scores.size_kept, scores.changed_outside, scores.psnr_outside) == (1, 0, 100)
    assert scores.changed == pytest.approx(mask.mean())
    assert scores.faces_kept is None
    assert scores.text_present is None


def test_a_scene_that_moved_is_measured_in_pixels() -> None:
    rng = np.random.default_rng(2)
    wide = np.asarray(Image.fromarray(rng.integers(0, 255, (20, 20, 3), dtype=np.uint8)).resize((160, 160)))
    made = case(region=False)[0]
    still = JudgeableCase(
        id=made.id, instruction="", intersection=True, open_source=lambda: Image.fromarray(wide[10:138, 10:138])
    )
    scores = measure_edit(still, Image.fromarray(wide[10:138, 7:135]), NOBODY)
    assert scores.shift_px == pytest.approx(3, abs=0.2)
    assert scores.changed_outside is None


def test_another_size_is_told_and_the_rest_is_measured_as_a_judge_sees_it() -> None:
    made, picture, _ = case()
    scores = measure_edit(made, Image.fromarray(picture).resize((96, 96)), NOBODY)
    assert scores.size_kept == 0
    assert scores.structure is not None and scores.structure > 0.5


def test_wanted_lettering_is_read_and_the_old_one_is_not() -> None:
    made, picture, _ = case(EditTask.TEXT_MODIFICATION, 'Replace the word "OPEN" with "CLOSED"')
    scores = measure_edit(made, Image.fromarray(picture), Reader(Path("/nowhere")))
    assert scores.text_present == 1
    assert scores.text_left is not None
    assert scores.text_left <= 0.5


def test_drawn_lettering_is_read_by_the_real_reader() -> None:
    experts = EmbeddedExperts()
    if not experts.available("read_text"):
        pytest.skip("needs the part pp-ocr: `step1x data setup`")
    sign = Image.new("RGB", (320, 128), "white")
    ImageDraw.Draw(sign).text((24, 30), "CLOSED", fill="black", font=ImageFont.load_default(64))
    made = JudgeableCase(
        id=CaseId(task=EditTask.TEXT_MODIFICATION, language="en", key="0"),
        instruction='Replace "OPEN" with "CLOSED"',
        intersection=True,
        open_source=lambda: sign,
    )
    scores = measure_edit(made, sign, experts)
    assert scores.text_present == 1
    assert (scores.text_left or 0) <= 0.5


def test_a_face_that_changed_form_is_found_and_told() -> None:
    made, picture, _ = case()
    eyes = Reader(Path("/nowhere"))
    same = measure_edit(made, Image.fromarray(picture), eyes)
    other = measure_edit(made, Image.fromarray(255 - picture), eyes)
    assert (same.faces_kept, other.faces_kept) == (1, 1)
    assert same.face_distance == pytest.approx(0, abs=1e-6)
    assert (other.face_distance or 0) > 0.01


def test_means_tell_how_many_cases_have_the_measure() -> None:
    (first, picture, _), (second, _, _) = case(), case(EditTask.STYLE_TRANSFER, region=False)
    scores = [measure_edit(one, Image.fromarray(picture), NOBODY) for one in (first, second)]
    summaries = summarise_judge_free(scores)
    assert [one.task for one in summaries] == [EditTask.COLOUR_ALTERATION, EditTask.STYLE_TRANSFER, None]
    assert summaries[-1].means["psnr_outside"].cases == 1
    assert summaries[-1].means["size_kept"].cases == 2
    assert "psnr_outside" not in summaries[1].means


@pytest.mark.parametrize(
    ("instruction", "present", "absent"),
    [
        ('Replace "OPEN" with "CLOSED".', ("CLOSED",), ("OPEN",)),
        ("change the text 'KO' to 'OK'", ("OK",), ("KO",)),
        ("Use 'B' instead of 'A' - change it", ("B",), ("A",)),
        ("Remove the text “SALE”", (), ("SALE",)),
        ("Write “hello” on the wall", ("hello",), ()),
        ("Change the sign to “Exit”", ("Exit",), ()),
        ("把“开门”改成“关门”", ("关门",), ("开门",)),
        ("去掉“促销”", (), ("促销",)),
        ("加上文字“你好”", ("你好",), ()),
        ("将标题改为“新年”", ("新年",), ()),
    ],
)
def test_wanted_lettering_is_read_off_the_instruction(
    instruction: str, present: tuple[str, ...], absent: tuple[str, ...]
) -> None:
    assert wanted_text(instruction) == WantedText(present=present, absent=absent)


@pytest.mark.parametrize("instruction", ["make the dog's collar red", "change the text", "change 'a' to 'b' and 'c'"])
def test_what_is_not_clear_is_not_guessed(instruction: str) -> None:
    assert wanted_text(instruction) is None
