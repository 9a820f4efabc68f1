r"""Train nano's autoencoder from the pool: ``python -m step1x_edit.apps.nano_autoencoder FOLDER``.

A door for whoever makes the embedded release again; it joins the pool (``data_engine``) and the trainer (``training``).
The first release was made by two runs of one thread each, beside other work on two cores (2.0 million parameters)::

    python -m step1x_edit.apps.nano_autoencoder vae --minutes 41 --seed 1
    python -m step1x_edit.apps.nano_autoencoder vae-refined --start vae --freeze-encoder --minutes 58 --seed 2 \
        --crop-px 128 --learning-rate 3e-3 --gradient-weight 2

The first took 2,286 steps to 26.7 dB at 128 px and 28.1 dB at 256 px on the pool's 18 held-out photographs; a linear
projection of 8 x 8 px patches to 16 numbers, fitted to the pool, gives 27.3 and 28.8 dB there. The second leaves the
latents as they are and trains the decoder alone; it was stopped after 686 steps, at 26.9 dB.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL

from step1x_edit.data_engine.pool import Pool
from step1x_edit.experts.parts.store import PartStore
from step1x_edit.experts.perceptual_distance import PerceptualDistance
from step1x_edit.training.nano.autoencoder import (
    AutoencoderSettings,
    build_autoencoder,
    psnr,
    set_latent_scale,
    train_autoencoder,
)
from step1x_edit.training.nano.crops import CropSampler
from step1x_edit.training.nano.keeping import save_network

__all__ = ["main"]

log = logging.getLogger("step1x_edit")


def _arguments() -> argparse.Namespace:
    standard = AutoencoderSettings(minutes=35)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="where config.json and the weights go")
    parser.add_argument("--start", type=Path, help="folder of an autoencoder to go on from")
    parser.add_argument("--pool", type=Path, help="pool of source pictures, by default the one in the user's cache")
    parser.add_argument("--minutes", type=float, default=standard.minutes)
    parser.add_argument("--seed", type=int, default=standard.seed)
    parser.add_argument("--learning-rate", type=float, default=standard.learning_rate)
    parser.add_argument("--gradient-weight", type=float, default=standard.gradient_weight)
    parser.add_argument("--perceptual-weight", type=float, default=0.0, help="0 does without the expert `perceptual`")
    parser.add_argument("--crop-px", type=int, help="one crop side for the whole run instead of 64, 96, 128 in turn")
    parser.add_argument("--freeze-encoder", action="store_true", help="train the decoder alone")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def main() -> int:
    """Train, set shift and scaling, save, and log what was reached."""
    given = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s  %(message)s", datefmt="%H:%M:%S", stream=sys.stdout)
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    pool = Pool.open(given.pool)
    photographs = [pool.image(one) for one in pool.photos("train")]
    cutouts = [pool.image(one) for kind in pool.cutouts("train").values() for one in kind]
    held_out = [pool.image(one) for one in pool.photos("held_out")]
    settings = AutoencoderSettings(
        minutes=given.minutes,
        seed=given.seed,
        learning_rate=given.learning_rate,
        gradient_weight=given.gradient_weight,
        perceptual_weight=given.perceptual_weight,
        freeze_encoder=given.freeze_encoder,
        crop_px=((0.0, given.crop_px),) if given.crop_px else AutoencoderSettings(minutes=given.minutes).crop_px,
    )
    log.info("%s", settings)
    autoencoder = AutoencoderKL.from_pretrained(given.start) if given.start else build_autoencoder()
    sampler = CropSampler(photographs, cutouts, seed=given.seed)
    perception = PerceptualDistance.of_parts(PartStore()) if given.perceptual_weight else None
    trained = train_autoencoder(
        autoencoder, sampler, settings, held_out=held_out, folder=given.folder, perception=perception
    )
    if not given.freeze_encoder:
        set_latent_scale(trained, photographs)
    save_network(trained, given.folder)
    log.info("scaling %s, shift %s", trained.config["scaling_factor"], trained.config["shift_factor"])
    for side_px in (128, 256):
        log.info(
            "PSNR at %d px: %.2f dB over %d held-out photographs",
            side_px,
            psnr(trained, held_out, side_px),
            len(held_out),
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
