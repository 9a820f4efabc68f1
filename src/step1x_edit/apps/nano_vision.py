"""Train nano's vision tower from the pool: ``python -m step1x_edit.apps.nano_vision FOLDER``.

A door for whoever makes the embedded release again; it joins the pool (``data_engine``) and the trainer (``training``).
The first release was made by two runs of one thread each, beside other work on two cores (1.1 million parameters)::

    python -m step1x_edit.apps.nano_vision vision --minutes 15 --seed 0
    python -m step1x_edit.apps.nano_vision vision-refined --start vision/vision.safetensors --minutes 12 --seed 1

The first took 1,700 steps of 32 pictures, the second 2,950. A token over a known object on a new photograph is then given
its name out of 61 in 68 % of cases (in the best five: 88 %), over an object never seen in 13 % (40 %), background in 89 %;
after the first run alone 43 % (74 %), 7 % (27 %) and 93 %. Each class has three or four pictures only.
"""

from __future__ import annotations

import argparse
import logging
import sys
from importlib.resources import files
from pathlib import Path

import torch

from step1x_edit.data_engine.objects import object_classes
from step1x_edit.data_engine.pool import Pool, Split
from step1x_edit.training.nano.naming_scenes import NamingScenes
from step1x_edit.training.nano.vision_part import train_vision_part

__all__ = ["main"]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="where the weights and the log go")
    parser.add_argument("--start", type=Path, help="vision.safetensors to go on from")
    parser.add_argument("--pool", type=Path, help="pool of source pictures, by default the one in the user's cache")
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> int:
    """Train, measure on photographs never trained on, and save."""
    given = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s  %(message)s", datefmt="%H:%M:%S", stream=sys.stdout)
    torch.set_num_threads(1)
    torch.manual_seed(given.seed)
    pool, names = Pool.open(given.pool), list(object_classes())
    train_vision_part(
        Path(str(files("step1x_edit") / "nano")),
        given.folder,
        _scenes(pool, names, "train", "train", given.seed),
        names=names,
        tests={
            "known objects, new photographs": _scenes(pool, names, "held_out", "train", 1),
            "new objects, new photographs": _scenes(pool, names, "held_out", "held_out", 1),
        },
        minutes=given.minutes,
        start=given.start,
    )
    return 0


def _scenes(pool: Pool, names: list[str], photos: Split, cutouts: Split, seed: int) -> NamingScenes:
    return NamingScenes(
        names,
        [pool.image(one) for one in pool.photos(photos, scenes_only=True)],
        {name: [pool.image(one) for one in pictures] for name, pictures in pool.cutouts(cutouts).items()},
        seed=seed,
    )


if __name__ == "__main__":
    sys.exit(main())
