"""Describe the objects that the benchmark recognises: ``python -m step1x_edit.apps.bench_objects [POOL]``.

Joins the pool's cut-outs of training (``data_engine``) with the benchmark's recogniser. To be run again when the pool's
cut-outs or the expert ``features`` change; the file it writes lies in the package.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from step1x_edit.benchmark.recognition import KNOWN_OBJECTS, write_known_objects
from step1x_edit.data_engine.pool import Pool, default_pool_folder
from step1x_edit.experts.embedded import EmbeddedExperts

__all__ = ["main", "shown"]

SIDE, OBJECT_SIDE = 256, 200
"""Side of the picture that is described, and long side of the object in its middle, in pixels."""
GREY = 150


def main() -> None:
    """Describe every cut-out of training and write the file into the package."""
    pool = Pool.open(Path(sys.argv[1]) if len(sys.argv) > 1 else default_pool_folder())
    objects = [(name, shown(pool.image(one))) for name, every in pool.cutouts("train").items() for one in every]
    write_known_objects(KNOWN_OBJECTS, objects, EmbeddedExperts())


def shown(cutout: UInt8[np.ndarray, "rows columns 4"]) -> UInt8[np.ndarray, "side side 3"]:
    """Return a cut-out in the middle of a grey square."""
    picture = Image.fromarray(np.ascontiguousarray(cutout))
    scale = OBJECT_SIDE / max(picture.size)
    picture = picture.resize((max(8, round(picture.width * scale)), max(8, round(picture.height * scale))))
    square = Image.new("RGB", (SIDE, SIDE), (GREY, GREY, GREY))
    square.paste(picture, ((SIDE - picture.width) // 2, (SIDE - picture.height) // 2), picture)
    return np.asarray(square)


if __name__ == "__main__":
    main()
