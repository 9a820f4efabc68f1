"""Faces keep their form through moves, turns and sizes; lettering is found where it stands among other words."""

from __future__ import annotations

import numpy as np
import pytest

from step1x_edit.measures.faces import landmark_distance, matched_boxes
from step1x_edit.measures.lettering import plain_text, read_back
from step1x_edit.measures.masks import PixelBox


def turned(points: np.ndarray, degrees: float) -> np.ndarray:
    angle = np.radians(degrees)
    return points @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def test_place_size_and_turn_do_not_count_and_form_does() -> None:
    face = np.random.default_rng(0).normal(0, 20, (468, 2))
    same = turned(face, 25) * 1.7 + (40, -9)
    assert landmark_distance(face, same) == pytest.approx(0, abs=1e-6)
    wider = face * (1.2, 1.0)
    assert 0.05 < (landmark_distance(face, wider) or 0) < (landmark_distance(face, face * (1.6, 1.0)) or 0)


def test_a_mirrored_face_is_another_form() -> None:
    face = np.random.default_rng(1).normal(0, 20, (50, 2))
    assert (landmark_distance(face, face * (-1, 1)) or 0) > 0.3


def test_a_face_without_extent_has_no_distance() -> None:
    assert landmark_distance(np.ones((5, 2)), np.arange(10.0).reshape(5, 2)) is None


def test_each_face_is_found_once_the_closest_first() -> None:
    def box(left: float) -> PixelBox:
        return PixelBox(left=left, top=0, right=left + 10, bottom=10)

    assert matched_boxes([box(0), box(50)], [box(49), box(2), box(1)]) == ((1, 0), (0, 2))
    assert matched_boxes([box(0)], [box(30)]) == ()


@pytest.mark.parametrize(
    ("wanted", "read", "expected"),
    [
        ("OPEN", "we are open today", 1),
        ("OPEN", "OPFN", 0.75),
        ("OPEN", "OPXEN", 0.75),
        ("OPEN", "", 0),
        ("关门", "今天关门", 1),
        ("Café 24!", "ＣＡＦÉ\n24", 1),
        ("???", "anything", None),
    ],
)
def test_the_best_stretch_of_what_was_read_counts(wanted: str, read: str, expected: float | None) -> None:
    assert read_back(wanted, read) == expected


def test_plain_text_is_letters_and_digits_in_one_form() -> None:
    assert plain_text(" No. ７ — Straße ") == "no7strasse"
