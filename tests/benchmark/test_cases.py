"""Cases are the published ones, a mini suite's or one's own; what is wrong with them is said in a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from published_cases import (
    COLUMNS,
    DRAWN,
    TWICE,
    Form,
    Row,
    drawn_source,
    published_rows,
    write_hub_cache,
    write_published,
)

from step1x_edit.benchmark.cases.case_set import Cases, chosen_cases
from step1x_edit.benchmark.cases.folder import open_folder
from step1x_edit.benchmark.cases.gedit import open_gedit
from step1x_edit.benchmark.cases.opening import open_cases
from step1x_edit.errors import DataError
from step1x_edit.schema.judged import CaseId
from step1x_edit.schema.tasks import EditTask

pytest.importorskip("datasets", reason="needs the extra `bench`")

FORMS: tuple[Form, ...] = ("saved", "saved dict", "parquet", "arrow")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``datasets`` prepares goes away with the test."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "prepared")


def published(folder: Path, rows: list[Row] | None = None, **how: Any) -> Cases:
    return open_gedit(str(write_published(folder, rows, **how)))


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_cases(form: Form, tmp_path: Path) -> None:
    cases = published(tmp_path / "data", form=form)
    again = published(tmp_path / "again", form="saved")
    assert [str(one.id) for one in cases] == [
        f"{row['task_type']}/{row['instruction_language']}/{row['key']}" for row in published_rows()
    ]
    assert (cases.name, cases.fingerprint) == ("gedit", again.fingerprint)


def test_a_key_in_two_tasks_is_two_cases(tmp_path: Path) -> None:
    cases = published(tmp_path / "data", form="arrow")
    twice = [one for one in cases if one.id.key == TWICE and one.id.language == "en"]
    assert [one.id.task for one in twice] == [EditTask.SUBJECT_REMOVAL, EditTask.SUBJECT_REPLACEMENT]
    assert twice[0].instruction != twice[1].instruction


def test_words_pictures_and_intersection_are_the_rows_own(tmp_path: Path) -> None:
    cases = published(tmp_path / "data", form="parquet").cases
    chinese = cases[len(DRAWN) + 3]
    assert (chinese.id.language, chinese.instruction, chinese.intersection) == ("cn", DRAWN[3][3], False)
    source = chinese.open_source()
    assert source.mode == "RGB"
    assert np.array_equal(np.asarray(source), np.asarray(drawn_source(3, DRAWN[3][5])))


def test_the_split_of_mirrors_is_found_and_another_is_refused(tmp_path: Path) -> None:
    folder = write_published(tmp_path / "data", form="saved dict", split="test")
    assert len(open_gedit(str(folder))) == 2 * len(DRAWN)
    with pytest.raises(DataError, match="the split train"):
        open_gedit(str(folder), split="train")


def test_the_hub_cache_is_read_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = write_hub_cache(tmp_path / "hub", "stepfun-ai/GEdit-Bench")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    assert len(open_cases("gedit")) == 2 * len(DRAWN)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "empty"))
    with pytest.raises(DataError, match="hf download --repo-type dataset stepfun-ai/GEdit-Bench"):
        open_cases("gedit")


def changed(**fields: object) -> list[Row]:
    """The published rows, the third of them spoilt."""
    rows = published_rows()
    rows[2] = {**rows[2], **fields}
    return rows


SPOILT: dict[str, tuple[Callable[[], list[Row]], str]] = {
    "two rows are one case": (lambda: [*published_rows(), published_rows()[2]], "two cases color_alter/en/0000"),
    "zh is no language here": (lambda: changed(instruction_language="zh"), "the language 'zh' in row 2"),
    "fr is none either": (lambda: changed(instruction_language="fr"), "expected en or cn"),
    "an unknown task": (lambda: changed(task_type="subject_add"), "the task 'subject_add' in row 2"),
    "a key that leaves its folder": (lambda: changed(key="../../key"), "the key '../../key' in row 2"),
    "no words": (lambda: changed(instruction=" "), "no instruction in row 2"),
    "an absent column": (
        lambda: [{name: row[name] for name in COLUMNS if name != "Intersection_exist"} for row in published_rows()],
        "among them Intersection_exist",
    ),
}


@pytest.mark.parametrize("form", ["parquet", "arrow"])
@pytest.mark.parametrize("fault", SPOILT)
def test_a_spoilt_data_set_is_refused_in_a_sentence(fault: str, form: Form, tmp_path: Path) -> None:
    rows, sentence = SPOILT[fault]
    with pytest.raises(DataError, match=sentence):
        published(tmp_path / "data", rows(), form=form)


def test_a_row_without_a_picture_says_so_when_it_is_asked_for(tmp_path: Path) -> None:
    absent = published(tmp_path / "absent", changed(input_image=None), form="arrow").cases[2]
    with pytest.raises(DataError, match="no picture in row 2"):
        absent.open_source()
    torn = published(tmp_path / "torn", changed(input_image={"bytes": b"\x89PNG torn", "path": None}), form="arrow")
    with pytest.raises(DataError, match=r"the source of color_alter/en/0000.*cannot be decoded"):
        torn.cases[2].open_source()


def test_other_words_or_pictures_are_another_set(tmp_path: Path) -> None:
    prints = {
        published(tmp_path / str(number), rows, form="arrow").fingerprint
        for number, rows in enumerate(
            [
                published_rows(),
                changed(instruction="Paint it green."),
                changed(input_image=published_rows()[0]["input_image"]),
            ]
        )
    }
    assert len(prints) == 3


def test_a_mini_suite_gives_both_languages_with_target_and_region(suite_folder: Path) -> None:
    cases = open_cases(str(suite_folder))
    half = len(cases) // 2
    assert [one.id.language for one in cases] == ["en"] * half + ["cn"] * half
    case = cases.cases[0]
    assert case.target is not None
    assert case.region is not None
    assert case.target().shape == (case.open_source().height, case.open_source().width, 3)
    assert case.region().shape == case.target().shape[:2]


LINE: dict[str, object] = {"task": "color_alter", "language": "en", "instruction": "Paint it blue.", "image": "box.png"}


def folder_of(folder: Path, *lines: dict[str, object]) -> Path:
    drawn_source(1, (64, 48)).save(folder / "box.png")
    (folder / "cases.jsonl").write_text("\n".join(json.dumps(line) for line in lines) + "\n", encoding="utf-8")
    return folder


def test_a_folder_holds_ones_own_cases(tmp_path: Path) -> None:
    again = {**LINE, "task": "subject removal", "language": "cn", "key": "mine", "intersection": False}
    cases = open_cases(str(folder_of(tmp_path, LINE, again)))
    assert [one.id for one in cases] == [
        CaseId(task=EditTask.COLOUR_ALTERATION, language="en", key="box"),
        CaseId(task=EditTask.SUBJECT_REMOVAL, language="cn", key="mine"),
    ]
    assert [one.intersection for one in cases] == [True, False]
    assert cases.cases[0].open_source().size == (64, 48)


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (({**LINE, "language": "zh"},), "the language 'zh' in line 1"),
        (({**LINE, "task": "magic"},), "the task 'magic' in line 1"),
        (({**LINE, "image": "none.png"},), "none.png of line 1.* not there"),
        ((LINE, LINE), "two cases color_alter/en/box"),
        (({**LINE, "prompt": "x"},), "prompt is wrong"),
        (({**LINE, "key": ".."},), "the key '..'"),
        (({**LINE, "key": "box_SRCIMG"},), "not ending in _SRCIMG"),
        ((), "without a case"),
    ],
)
def test_a_wrong_line_is_refused_in_a_sentence(
    lines: tuple[dict[str, object], ...], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=sentence):
        open_folder(folder_of(tmp_path, *lines))


def test_chosen_cases_keep_their_places_in_the_set(tmp_path: Path) -> None:
    cases = published(tmp_path / "data", form="arrow")
    chosen = chosen_cases(cases, languages=("cn",), tasks=(EditTask.TONE_TRANSFORMATION, EditTask.SUBJECT_REMOVAL))
    assert [number for number, _ in chosen] == [6, 10]
    assert len(chosen_cases(cases, per_task=1)) == len(cases)
    with pytest.raises(DataError, match="at least one case to run"):
        chosen_cases(cases, tasks=(EditTask.STYLE_TRANSFER,))


def test_what_is_no_case_set_says_what_would_be_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gedit, .*mini-ci.*cases.jsonl"):
        open_cases(str(tmp_path / "nowhere"))
