"""Write an untrained transformer in nano's sizes: ``python -m step1x_edit.apps.nano_start FOLDER``.

A door for whoever makes the embedded release again: with ``[model] weights = "FOLDER"`` in its config, ``step1x train full``
starts from it; the other parts stay nano's own.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from step1x_edit.presets.releases import find_release
from step1x_edit.training.nano.keeping import save_network
from step1x_edit.training.nano.start import build_transformer

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Build, save and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="its sub-folder `transformer` gets config.json and the weights")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other weights")
    given = parser.parse_args(arguments)
    torch.manual_seed(given.seed)
    network = build_transformer(find_release("nano"))
    save_network(network, given.folder / "transformer")
    millions = sum(weight.numel() for weight in network.parameters()) / 1e6
    print(f"{millions:.2f} million parameters: {given.folder / 'transformer'}")  # noqa: T201 - its answer
    return 0


if __name__ == "__main__":
    sys.exit(main())
