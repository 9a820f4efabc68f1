"""Image editing by instruction: the open, practical implementation of the Step1X-Edit system (arXiv:2504.17761).

Importing this package is free; a name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from step1x_edit.models.processor import Step1XEditProcessor
    from step1x_edit.models.transformer import Step1XEditTransformer2DModel
    from step1x_edit.pipeline.editor import Editor
    from step1x_edit.pipeline.step1x_edit import Step1XEditPipeline
    from step1x_edit.schema.edit import EditRequest, EditResult

__version__ = "0.1.0"

__all__ = [
    "EditRequest",
    "EditResult",
    "Editor",
    "Step1XEditPipeline",
    "Step1XEditProcessor",
    "Step1XEditTransformer2DModel",
    "__version__",
]

_HOMES = {
    "EditRequest": "schema.edit",
    "EditResult": "schema.edit",
    "Editor": "pipeline.editor",
    "Step1XEditPipeline": "pipeline.step1x_edit",
    "Step1XEditProcessor": "models.processor",
    "Step1XEditTransformer2DModel": "models.transformer",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
