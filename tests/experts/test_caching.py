"""Answers are kept: the second is equal to the first, and the expert is not asked again."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np
import pytest

from step1x_edit.errors import DataError, MissingExtra
from step1x_edit.experts.answers import Detection, Face, PartVersion, Tag, TextLine
from step1x_edit.experts.caching import CachedExperts
from step1x_edit.experts.embedded import EmbeddedExperts
from step1x_edit.experts.expert_set import ExpertName

PICTURE = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)


class CountingExperts(EmbeddedExperts):
    """Answers by rule from the pixels alone, and counts how often it is asked."""

    def __init__(self, folder: Path, version: str = "1") -> None:
        super().__init__(folder)
        self.version = version
        self.asked = 0

    def part(self, expert: ExpertName) -> PartVersion:
        return PartVersion(part=f"rule/{expert}", version=self.version, licence="CC0-1.0")

    def _share(self, picture: np.ndarray) -> float:
        self.asked += 1
        return float(picture.mean() / 255)

    def matte(self, picture):
        return np.full(picture.shape[:2], self._share(picture), np.float32)

    def detect(self, picture):
        return (Detection(label="cat", score=self._share(picture), box=(0.1, 0.2, 3.3, 4.4)),)

    def tag(self, picture):
        return (Tag(label="tabby", score=self._share(picture)), Tag(label="猫", score=0.1))

    def read_text(self, picture):
        corners = np.full((4, 2), self._share(picture), np.float32)
        return (TextLine(text="出口 Exit", score=1.0, corners=corners),)

    def face_landmarks(self, picture):
        landmarks = np.full((468, 2), self._share(picture), np.float32)
        return (Face(score=0.9, box=(0.0, 1.0, 2.0, 3.0), landmarks=landmarks),)

    def features(self, picture):
        return np.full(1280, self._share(picture) / 3, np.float32)

    def ask(self, question, pictures):
        return f"{question} {sum(map(self._share, pictures))}"


@pytest.fixture
def counting(tmp_path: Path) -> CountingExperts:
    return CountingExperts(tmp_path / "parts")


def equal(first: object, second: object) -> bool:
    if isinstance(first, np.ndarray):
        return isinstance(second, np.ndarray) and first.dtype == second.dtype and np.array_equal(first, second)
    if isinstance(first, tuple):
        return isinstance(second, tuple) and len(first) == len(second) and all(map(equal, first, second))
    if is_dataclass(first) and not isinstance(first, type):
        return type(first) is type(second) and all(
            equal(getattr(first, one.name), getattr(second, one.name)) for one in fields(first)
        )
    return first == second


CALLS = ("matte", "detect", "tag", "read_text", "face_landmarks", "features")


@pytest.mark.parametrize("call", CALLS)
def test_a_picture_is_looked_at_once_and_both_answers_are_equal(call, counting, tmp_path):
    first = getattr(CachedExperts(counting, tmp_path / "cache"), call)(PICTURE)
    second = getattr(CachedExperts(counting, tmp_path / "cache"), call)(PICTURE.copy())
    assert equal(first, second)
    assert counting.asked == 1


@pytest.mark.parametrize("call", [one for one in CALLS if one != "matte"])
def test_an_answer_is_the_experts_own(call, counting, tmp_path):
    assert equal(getattr(CachedExperts(counting, tmp_path), call)(PICTURE), getattr(counting, call)(PICTURE))


def test_a_matte_is_within_half_a_level_of_the_experts_own(counting, tmp_path):
    kept, own = CachedExperts(counting, tmp_path).matte(PICTURE), counting.matte(PICTURE)
    assert np.abs(kept - own).max() <= 0.5 / 255 + 1e-6


def test_no_answer_is_kept_as_well_as_any(tmp_path, counting):
    counting.detect = lambda picture: ()
    cached = CachedExperts(counting, tmp_path)
    assert cached.detect(PICTURE) == cached.detect(PICTURE) == ()


def test_another_picture_shape_version_or_question_is_asked_anew(counting, tmp_path):
    cached = CachedExperts(counting, tmp_path)
    cached.tag(PICTURE)
    cached.tag(255 - PICTURE)
    cached.tag(PICTURE.reshape(7, 9, 3))
    counting.version = "2"
    cached.tag(PICTURE)
    assert counting.asked == 4
    assert cached.ask("How bright?", [PICTURE]) != cached.ask("How dark?", [PICTURE])
    cached.ask("How bright?", [PICTURE])
    assert counting.asked == 6


@pytest.mark.parametrize("call", ["matte", "detect"])
def test_an_entry_cut_short_is_asked_for_again(call, counting, tmp_path):
    cached = CachedExperts(counting, tmp_path)
    first = getattr(cached, call)(PICTURE)
    (file,) = (one for one in tmp_path.rglob("*") if one.is_file())
    file.write_bytes(file.read_bytes()[:20])
    assert equal(getattr(cached, call)(PICTURE), first)
    assert counting.asked == 2
    assert equal(getattr(cached, call)(PICTURE), first)
    assert counting.asked == 2


def test_nothing_but_answers_stays_in_the_folder(counting, tmp_path):
    cached = CachedExperts(counting, tmp_path / "cache")
    for call in CALLS:
        getattr(cached, call)(PICTURE)
    files = [one for one in (tmp_path / "cache").rglob("*") if one.is_file()]
    assert sorted(one.suffix for one in files) == [".json"] * 5 + [".png"]


def test_a_folder_that_cannot_be_made_is_one_clear_sentence(counting, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="can be written"):
        CachedExperts(counting, tmp_path / "file").tag(PICTURE)


def test_a_missing_part_stays_missing(tmp_path):
    cached = CachedExperts(EmbeddedExperts(tmp_path / "empty"), tmp_path / "cache")
    assert not cached.available("tag")
    assert cached.part("tag").part == "squeezenet"
    with pytest.raises(MissingExtra, match="step1x data setup tag"):
        cached.tag(PICTURE)
    with pytest.raises(MissingExtra, match="STEP1X_ASK_URL"):
        cached.ask("Is it?", [PICTURE])
