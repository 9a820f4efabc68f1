"""Cuts out what a picture is about: a soft matte of the salient subject, whatever it is.

The model is ISNet of DIS ("Highly Accurate Dichotomous Image Segmentation", arXiv:2203.03041) as ONNX. The report uses
SAM 2.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from step1x_edit.experts.onnx_session import onnx_session

__all__ = ["SalientMatte"]

INPUT_SIDE = 1024
"""Side of the square the network takes; fixed in the file."""
NOTHING, EVERYTHING = 0.05, 0.95
"""Matte values taken as surely outside and surely inside."""


class SalientMatte:
    """The matting expert, on one thread.

    Args:
        model: The network as an ONNX file.

    Raises:
        MissingExtra: onnxruntime is not installed, or there is no such file.
        ExpertError: The file is no network that onnxruntime can run.
    """

    def __init__(self, model: Path) -> None:
        self._session = onnx_session(model)

    def matte(self, picture: UInt8[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "height width"]:
        """Return how much each pixel belongs to the subject, 0..1.

        Close-ups without a border, flat buildings and white on white are weak.
        """
        height, width = picture.shape[:2]
        square = Image.fromarray(picture).resize((INPUT_SIDE, INPUT_SIDE), Image.Resampling.BILINEAR)
        levels = (np.asarray(square, dtype=np.float32) - 128) / 256
        name = self._session.get_inputs()[0].name
        found = np.asarray(self._session.run(None, {name: levels.transpose(2, 0, 1)[None]})[0]).squeeze()
        matte = Image.fromarray(np.clip(found, 0, 1)).resize((width, height), Image.Resampling.BILINEAR)
        return np.clip((np.asarray(matte) - NOTHING) / (EVERYTHING - NOTHING), 0, 1)
