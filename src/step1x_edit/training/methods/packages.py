"""Optional packages of the extra ``train``, imported when a method needs them and never before."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any

from step1x_edit.errors import MissingExtra

__all__ = ["training_package"]

_TALKATIVE = ("torchao", "bitsandbytes", "torch.utils._pytree")
"""Loggers that report at import which kernels for other machines they could not load."""


def training_package(name: str) -> Any:
    """Import a package of the extra ``train`` and return it.

    Args:
        name: Module name, dots allowed.

    Raises:
        MissingExtra: The package is not installed, or does not load beside this build of torch.
    """
    for logger in _TALKATIVE:
        logging.getLogger(logger).setLevel(logging.ERROR)
    try:
        return import_module(name)
    except (ImportError, OSError) as missing:
        raise MissingExtra(
            given=f"an installation in which {name.partition('.')[0]} cannot be loaded ({missing})",
            expected="the extra `train`",
            remedy="Install it with `pip install step1x-edit[train]`.",
        ) from missing
