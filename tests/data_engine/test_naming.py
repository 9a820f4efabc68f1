"""The subject of a photograph is named when detector and tagger leave little doubt, and left unnamed otherwise."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

from step1x_edit.data_engine import naming
from step1x_edit.data_engine.naming import class_of_detection, recognised_subject, subject_crop
from step1x_edit.data_engine.objects import object_class, object_classes, seen_classes
from step1x_edit.experts.answers import Detection, Tag
from step1x_edit.experts.object_detector import coco_labels

pytestmark = pytest.mark.fast
ON_SUBJECT = (20.0, 30.0, 60.0, 70.0)
BESIDE = (50.0, 60.0, 99.0, 99.0)


@pytest.fixture
def matte() -> np.ndarray:
    matte = np.zeros((100, 120), np.float32)
    matte[30:70, 20:60] = 1
    return matte


def detection(label: str, score: float, box: tuple[float, float, float, float] = ON_SUBJECT) -> Detection:
    return Detection(label=label, score=score, box=box)


def named(detections: list[Detection], tags: dict[str, float], matte: np.ndarray) -> str | None:
    what = recognised_subject(detections, [Tag(label=label, score=score) for label, score in tags.items()], matte)
    return what and what.name


@pytest.mark.parametrize(
    ("detections", "tags", "name"),
    [
        ([detection("dog", 0.4)], {"beagle": 0.15, "basset": 0.1}, "dog"),
        ([detection("bird", 0.4)], {"toucan": 0.3}, "toucan"),
        ([detection("sports ball", 0.6)], {"mortar": 0.1}, "ball"),
        ([], {"tabby": 0.5, "egyptian cat": 0.4}, "cat"),
        ([detection("horse", 0.4)], {"german shepherd": 0.99}, "dog"),
        ([detection("dog", 0.9, BESIDE)], {"red fox": 0.9}, "fox"),
    ],
)
def test_agreement_or_certainty_names_the_subject(detections, tags, name, matte):
    assert named(detections, tags, matte) == name


@pytest.mark.parametrize(
    ("detections", "tags"),
    [
        ([], {}),
        ([detection("dog", 0.4)], {"tabby": 0.5}),
        ([detection("bear", 0.7)], {"porcupine": 0.7}),
        ([detection("horse", 0.6)], {"cheetah": 0.9}),
        ([detection("dog", 0.9, BESIDE)], {}),
        ([detection("parking meter", 0.9)], {}),
        ([], {"triumphal arch": 1.0}),
        ([], {"chihuahua": 0.6}),
    ],
)
def test_doubt_leaves_the_subject_unnamed(detections, tags, matte):
    assert named(detections, tags, matte) is None


def test_a_detection_is_nothing_without_a_subject():
    assert named([detection("dog", 0.9)], {}, np.zeros((100, 120), np.float32)) is None


def test_the_crop_is_a_square_around_the_subject_as_far_as_the_picture_goes(matte):
    picture = np.arange(100 * 120 * 3, dtype=np.uint32).astype(np.uint8).reshape(100, 120, 3)
    crop = subject_crop(picture, matte)
    assert crop is not None
    assert np.array_equal(crop, picture[20:80, 10:70])
    matte[:, :] = 1
    whole = subject_crop(picture, matte)
    assert whole is not None
    assert whole.shape == picture.shape
    assert subject_crop(picture, np.zeros_like(matte)) is None


def test_every_name_in_the_tables_has_a_class_and_every_key_a_model_that_says_it():
    table = tomllib.loads(Path(naming.__file__).with_name("naming.toml").read_text(encoding="utf-8"))
    kinds = [name for wide, narrow in table["kinds"].items() for name in (wide, *narrow)]
    assert {*table["coco"].values(), *table["imagenet"], *kinds} <= set(seen_classes())
    assert set(table["coco"]) <= set(coco_labels())
    labels = [label for all_of_it in table["imagenet"].values() for label in all_of_it]
    assert len(labels) == len(set(labels))


def test_detections_are_called_as_our_classes_are():
    assert class_of_detection(detection("tv", 1.0)) == "television"
    assert class_of_detection(detection("zebra", 1.0)) == "zebra"
    assert class_of_detection(detection("skis", 1.0)) is None


def test_classes_that_are_only_seen_have_their_own_chinese_and_are_no_cutouts():
    assert object_class("panda").zh == "大熊猫"
    assert object_class("boat") == object_classes()["boat"]
    assert "panda" not in object_classes()
    for name, what in seen_classes().items():
        assert all("一" <= sign <= "鿿" for sign in what.zh + what.measure), name
