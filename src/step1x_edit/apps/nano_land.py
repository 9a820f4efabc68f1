"""Put trained parts into the package: ``python -m step1x_edit.apps.nano_land TRANSFORMER VAE VISION``.

Weights go in as bfloat16, transformer and VAE in diffusers layout, each file replaced as a whole.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from importlib.resources import files
from pathlib import Path

import torch
from diffusers import AutoencoderKL

from step1x_edit.models.language_model import VISION_FILE
from step1x_edit.models.transformer import Step1XEditTransformer2DModel
from step1x_edit.presets.releases import find_release
from step1x_edit.training.nano.keeping import save_network

__all__ = ["main"]


def main() -> int:
    """Convert, save and say how large the trained part is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("transformer", type=Path, help="folder of the transformer: exports of `step1x train full`")
    parser.add_argument("vae", type=Path, help="folder that nano_autoencoder wrote")
    parser.add_argument("vision", type=Path, help="file that nano_vision wrote")
    given = parser.parse_args()
    nano = Path(str(files("step1x_edit") / "nano"))

    transformer = Step1XEditTransformer2DModel.from_pretrained(given.transformer, torch_dtype=torch.bfloat16)
    # diffusers notes the folder a network was read from; the package's files name the release instead.
    transformer.register_to_config(conventions=find_release("nano").conventions.model_dump(), _name_or_path="nano")
    save_network(transformer, nano / "transformer")
    vae = AutoencoderKL.from_pretrained(given.vae, torch_dtype=torch.bfloat16)
    vae.register_to_config(_name_or_path="nano")
    save_network(vae, nano / "vae")
    target = nano / "text_encoder" / VISION_FILE
    if given.vision.resolve() != target.resolve():
        temporary = target.with_suffix(".part")
        shutil.copyfile(given.vision, temporary)
        temporary.replace(target)

    parts = [*nano.glob("transformer/*.safetensors"), *nano.glob("vae/*.safetensors"), target]
    print(f"trained part: {sum(part.stat().st_size for part in parts) / 1e6:.2f} MB")  # noqa: T201 - its answer
    return 0


if __name__ == "__main__":
    sys.exit(main())
