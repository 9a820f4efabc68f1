"""Optional packages of training, imported when a method needs them and never before."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from step1x_edit.errors import MissingExtra

__all__ = ["training_package"]

_QUANTISED = ("torchao", "bitsandbytes")
"""Packages of the extra ``quantised``: diffusers imports them wherever they are installed, which costs every start 3 s."""


def training_package(name: str) -> Any:
    """Import a package of the extra ``train`` or ``quantised`` and return it.

    Args:
        name: Module name, dots allowed.

    Raises:
        MissingExtra: The package is not installed, or does not load beside this build of torch.
    """
    package = name.partition(".")[0]
    extra = "quantised" if package in _QUANTISED else "train"
    try:
        return import_module(name)
    except (ImportError, OSError) as missing:
        raise MissingExtra(
            given=f"an installation in which {package} cannot be loaded ({missing})",
            expected=f"the extra `{extra}`",
            remedy=f"Install it with `pip install step1x-edit[{extra}]`.",
        ) from missing
