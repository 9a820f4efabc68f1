"""What a figure was measured on, printed above it."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import torch

__all__ = ["describe_machine"]


def describe_machine() -> str:
    """Return processor, threads, versions and commit in one line each."""
    processor = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True, cwd=Path(__file__).parent
    ).stdout.strip()
    names = ("torch", "diffusers", "transformers")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    return (
        f"machine: {processor}, {torch.get_num_threads()} threads, Python {platform.python_version()}\n"
        f"versions: {versions}\ncommit: {commit}"
    )
