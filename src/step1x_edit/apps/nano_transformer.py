"""Train nano's transformer on encoded examples: ``python -m step1x_edit.apps.nano_transformer SHARDS FOLDER --minutes 75``.

A door for whoever makes the embedded release again. ``nano_examples`` makes the shards, before or at the same time.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from pathlib import Path

import torch

from step1x_edit.models.transformer import Step1XEditTransformer2DModel
from step1x_edit.presets.releases import find_release
from step1x_edit.training.nano.encoded import draw_batches, shard_paths
from step1x_edit.training.nano.transformer import TransformerSettings, build_transformer, train_transformer

__all__ = ["main"]

log = logging.getLogger("step1x_edit")


def _arguments() -> argparse.Namespace:
    standard = TransformerSettings(minutes=75)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("shards", type=Path, help="folder of encoded examples; may still be growing")
    parser.add_argument("folder", type=Path, help="where config.json and the weights go")
    parser.add_argument("--start", type=Path, help="folder of a transformer to go on from")
    parser.add_argument("--minutes", type=float, default=standard.minutes)
    parser.add_argument("--seed", type=int, default=standard.seed)
    parser.add_argument("--batch", type=int, default=standard.batch)
    parser.add_argument("--matrix-rate", type=float, default=standard.matrix_rate)
    parser.add_argument("--rate", type=float, default=standard.rate)
    parser.add_argument("--changed-weight", type=float, default=standard.changed_weight)
    parser.add_argument("--position-jitter", type=int, default=standard.position_jitter, help="in tokens")
    parser.add_argument("--shift-by-tokens", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def main() -> int:
    """Train, save and log."""
    given = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s  %(message)s", datefmt="%H:%M:%S", stream=sys.stdout)
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    settings = TransformerSettings(
        minutes=given.minutes,
        seed=given.seed,
        batch=given.batch,
        matrix_rate=given.matrix_rate,
        rate=given.rate,
        changed_weight=given.changed_weight,
        position_jitter=given.position_jitter,
        shift_by_tokens=given.shift_by_tokens,
    )
    while not shard_paths(given.shards):
        time.sleep(1)
    if given.start:
        network = Step1XEditTransformer2DModel.from_pretrained(given.start)
    else:
        network = build_transformer(find_release("nano"))
    log.info("%s, %.2f million parameters", settings, sum(weight.numel() for weight in network.parameters()) / 1e6)
    batches = draw_batches(given.shards, batch=given.batch, seed=given.seed)
    train_transformer(network.train(), batches, settings, folder=given.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
