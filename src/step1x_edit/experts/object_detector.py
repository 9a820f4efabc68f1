"""Finds objects of the 80 COCO classes.

The model is CenterNet ("Objects as Points", arXiv:1904.07850) on MobileNetV3, a TensorFlow.js graph file that the npm
package ``@vladmandic/human`` carries. The report asks Florence-2 for objects and their boxes.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from step1x_edit.experts.answers import Detection
from step1x_edit.experts.extras import part_file
from step1x_edit.experts.tfjs_graph import TfjsGraph

__all__ = ["ObjectDetector", "coco_labels"]

INPUT_SIDE = 512
"""Side of the square the network takes; fixed in the file."""
STRIDE = 4
"""One place of the score map stands for 4 x 4 pixels of that square."""
CANDIDATES = 100
"""Peaks looked at, as in the graph's own list of detections."""
LEAST_SCORE = 0.35
"""Below it, answers on the pool's photographs are mostly wrong."""
SAME_OBJECT = 0.5
"""Overlap of two boxes (intersection over union) from which only the better one stays."""


class ObjectDetector:
    """The detecting expert. It uses as many threads as torch is set to.

    Args:
        graph: The file ``centernet.json``; its weights lie beside it.

    Raises:
        MissingExtra: The file is not there.
        ExpertError: The file is broken.
    """

    def __init__(self, graph: Path) -> None:
        self._graph = TfjsGraph(part_file(graph), outputs=("tower_0/keypoints", "tower_0/wh"))

    def detect(self, picture: UInt8[np.ndarray, "height width 3"]) -> tuple[Detection, ...]:
        """Return the objects in a picture, best first.

        Close-ups that fill the frame, drawings and small objects are often missed.
        """
        height, width = picture.shape[:2]
        square = Image.fromarray(picture).resize((INPUT_SIDE, INPUT_SIDE), Image.Resampling.BILINEAR)
        scores, sides = self._graph.run(torch.from_numpy(np.asarray(square, dtype=np.float32))[None])
        scale = np.array([width, height, width, height], dtype=np.float32) / INPUT_SIDE
        return _distinct(_peaks(scores[0], sides[0], scale))


@cache
def coco_labels() -> tuple[str, ...]:
    """Read the 80 class names, in the order of the network's scores."""
    return tuple(Path(__file__).with_name("coco_labels.txt").read_text(encoding="utf-8").split("\n")[:80])


def _peaks(scores: Tensor, sides: Tensor, scale: Float32[np.ndarray, " 4"]) -> list[Detection]:
    """Read objects off the score map: places that no neighbour surpasses, with distances to the box's four sides."""
    around = F.max_pool2d(scores.permute(2, 0, 1), 3, stride=1, padding=1).permute(1, 2, 0)
    best, places = torch.where(scores == around, scores, 0).flatten().topk(CANDIDATES)
    found: list[Detection] = []
    for score, place in zip(best.tolist(), places.tolist(), strict=True):
        if score < LEAST_SCORE:
            break
        row, column, label = np.unravel_index(place, scores.shape)
        left, top, right, bottom = sides[row, column].tolist()
        x, y = STRIDE * int(column), STRIDE * int(row)
        corners = np.clip([x - left, y - top, x + right, y + bottom], 0, INPUT_SIDE) * scale
        box = (float(corners[0]), float(corners[1]), float(corners[2]), float(corners[3]))
        found.append(Detection(label=coco_labels()[label], score=score, box=box))
    return found


def _distinct(found: list[Detection]) -> tuple[Detection, ...]:
    """Leave out boxes of one class that lie on a better one."""
    kept: list[Detection] = []
    for one in found:
        if all(one.label != other.label or _overlap(one.box, other.box) < SAME_OBJECT for other in kept):
            kept.append(one)
    return tuple(kept)


def _overlap(first: tuple[float, float, float, float], second: tuple[float, float, float, float]) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(width, 0.0) * max(height, 0.0)
    whole = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)) - shared
    return shared / whole if whole else 0.0
