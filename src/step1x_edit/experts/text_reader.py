"""Reads lettering in pictures, English and Chinese.

The models are PP-OCRv6 small (detection and recognition, ONNX) from the PyPI package ``rapidocr``, used by path: the
package itself would install a second OpenCV over the one of the extra ``data``. Steps and thresholds are PaddleOCR's:
a map of where lettering is (DB, arXiv:1911.08947), a turned box around each blob, each box straightened and read (CTC).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from step1x_edit.experts.answers import TextLine
from step1x_edit.experts.extras import optional_package
from step1x_edit.experts.onnx_session import onnx_session

__all__ = ["TextReader"]

SHORT_SIDE = 320
"""Shorter side at which lettering is searched; smaller pictures are enlarged to it. At 736, the package's default, a
picture takes five times as long."""
LONG_SIDE = 2000
MULTIPLE = 32
"""The detector takes sides of a multiple of this."""
IS_TEXT, LEAST_BOX, LEAST_LINE = 0.3, 0.5, 0.5
"""Least values of a pixel of lettering, of a box's mean, and of a line that was read."""
GROWTH = 1.6
"""The map shows lettering shrunk; boxes grow by this times area over circumference."""
LEAST_SIDE = 3
"""Boxes thinner than this, in pixels of the map, hold no lettering."""
LINE_HEIGHT, LINE_WIDTH = 48, 320
"""Height of a straightened line, fixed in the file, and its least width."""
SAME_ROW = 10
"""Boxes whose tops differ by less, in pixels, stand in one row and are read from left to right."""


class TextReader:
    """The reading expert.

    Args:
        detector: The file ``PP-OCRv6_det_small.onnx``.
        recogniser: The file ``PP-OCRv6_rec_small.onnx``, which holds its alphabet.

    Raises:
        MissingExtra: onnxruntime or OpenCV is not installed, or a file is not there.
        ExpertError: A file is broken.
    """

    def __init__(self, *, detector: Path, recogniser: Path) -> None:
        self._cv2 = optional_package("cv2")
        self._detector = onnx_session(detector)
        self._recogniser = onnx_session(recogniser)
        characters = self._recogniser.get_modelmeta().custom_metadata_map.get("character", "")
        # CTC: number 0 is "nothing new here"; the space comes after the alphabet.
        self._alphabet = ["", *characters.rstrip("\n").split("\n"), " "]

    def read_text(self, picture: UInt8[np.ndarray, "height width 3"]) -> tuple[TextLine, ...]:
        """Return the lines of lettering, top to bottom, in one row left to right.

        l and 1, 0 and O are often mixed up; lettering lower than about ten pixels is missed.
        """
        bgr = np.ascontiguousarray(picture[..., ::-1])
        lines = []
        for corners in _reading_order(self._boxes(bgr)):
            text, score = self._read(self._straightened(bgr, corners))
            if text and score >= LEAST_LINE:
                lines.append(TextLine(text=text, score=score, corners=corners))
        return tuple(lines)

    def _boxes(self, bgr: UInt8[np.ndarray, "height width 3"]) -> list[Float32[np.ndarray, "4 2"]]:
        height, width = bgr.shape[:2]
        scale = min(max(1.0, SHORT_SIDE / min(height, width)), max(LONG_SIDE, SHORT_SIDE) / max(height, width))
        size = [max(round(side * scale / MULTIPLE), 1) * MULTIPLE for side in (width, height)]
        levels = self._run(self._detector, _centred(self._cv2.resize(bgr, size)))[0, 0]
        blobs = self._cv2.dilate((levels > IS_TEXT).astype(np.uint8), np.ones((2, 2), np.uint8))
        contours, _ = self._cv2.findContours(blobs, self._cv2.RETR_LIST, self._cv2.CHAIN_APPROX_SIMPLE)
        boxes = (self._box(levels, contour) for contour in contours)
        back = np.array([width / size[0], height / size[1]], dtype=np.float32)
        last = np.array([width - 1, height - 1], dtype=np.float32)
        return [np.clip(_clockwise(box) * back, 0, last) for box in boxes if box is not None]

    def _box(self, levels: Float32[np.ndarray, "rows columns"], contour: np.ndarray) -> np.ndarray | None:
        """Return the corners of the turned box around a blob, grown to the lettering; None where it holds none."""
        centre, (across, along), angle = self._cv2.minAreaRect(contour)
        if min(across, along) < LEAST_SIDE:
            return None
        inside = np.zeros(levels.shape, np.uint8)
        corners = self._cv2.boxPoints((centre, (across, along), angle))
        self._cv2.fillPoly(inside, [corners.astype(np.int32)], 1)
        if self._cv2.mean(levels, inside)[0] < LEAST_BOX:
            return None
        growth = GROWTH * across * along / (across + along)
        return self._cv2.boxPoints((centre, (across + growth, along + growth), angle))

    def _straightened(
        self, bgr: UInt8[np.ndarray, "height width 3"], corners: Float32[np.ndarray, "4 2"]
    ) -> UInt8[np.ndarray, "line_height line_width 3"]:
        width = max(int(max(np.linalg.norm(corners[1] - corners[0]), np.linalg.norm(corners[2] - corners[3]))), 1)
        height = max(int(max(np.linalg.norm(corners[3] - corners[0]), np.linalg.norm(corners[2] - corners[1]))), 1)
        places = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
        turn = self._cv2.getPerspectiveTransform(corners, places)
        line = self._cv2.warpPerspective(
            bgr, turn, (width, height), flags=self._cv2.INTER_CUBIC, borderMode=self._cv2.BORDER_REPLICATE
        )
        # Upright boxes hold lettering that runs downwards or lies on its side.
        return np.ascontiguousarray(np.rot90(line)) if height >= 1.5 * width else line

    def _read(self, line: UInt8[np.ndarray, "line_height line_width 3"]) -> tuple[str, float]:
        width = max(-(-LINE_HEIGHT * line.shape[1] // line.shape[0]), 1)
        levels = np.zeros((1, 3, LINE_HEIGHT, max(width, LINE_WIDTH)), np.float32)
        levels[..., :width] = _centred(self._cv2.resize(line, (width, LINE_HEIGHT)))
        found = self._run(self._recogniser, levels)[0]
        best = found.argmax(axis=1)
        news = (best != np.concatenate([[0], best[:-1]])) & (best != 0)
        if not news.any():
            return "", 0.0
        text = "".join(self._alphabet[number] for number in best[news])
        return text, float(found.max(axis=1)[news].mean())

    def _run(self, session: Any, levels: Float32[np.ndarray, "1 3 height width"]) -> np.ndarray:
        return session.run(None, {session.get_inputs()[0].name: levels})[0]


def _centred(pixels: UInt8[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "1 3 height width"]:
    return np.ascontiguousarray((pixels.astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)[None])


def _clockwise(corners: np.ndarray) -> np.ndarray:
    """Order four corners: top left, top right, bottom right, bottom left."""
    by_column = corners[np.argsort(corners[:, 0], kind="stable")]
    left = by_column[:2][np.argsort(by_column[:2, 1], kind="stable")]
    right = by_column[2:][np.argsort(by_column[2:, 1], kind="stable")]
    return np.array([left[0], right[0], right[1], left[1]], dtype=np.float32)


def _reading_order(boxes: list[Float32[np.ndarray, "4 2"]]) -> list[Float32[np.ndarray, "4 2"]]:
    boxes = sorted(boxes, key=lambda box: float(box[0, 1]))
    steps = np.diff([box[0, 1] for box in boxes], prepend=boxes[0][0, 1] if boxes else [])
    rows = np.cumsum(steps >= SAME_ROW)
    return [boxes[number] for number in sorted(range(len(boxes)), key=lambda one: (rows[one], boxes[one][0, 0]))]
