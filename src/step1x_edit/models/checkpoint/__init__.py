"""Published weights in, our networks out, and back.

In: the released single files (official names), diffusers folders, LoRA files in kohya and PEFT names. Out: networks
whose every tensor was matched by name and shape, converted files, reports. Only safetensors is read, never a pickle.
"""

from step1x_edit.models.checkpoint.adapters import attach_adapters, merge_adapters_to_file
from step1x_edit.models.checkpoint.conversion import convert
from step1x_edit.models.checkpoint.loading import load_transformer, load_vae
from step1x_edit.models.checkpoint.report import CheckpointReport, inspect_checkpoint

__all__ = [
    "CheckpointReport",
    "attach_adapters",
    "convert",
    "inspect_checkpoint",
    "load_transformer",
    "load_vae",
    "merge_adapters_to_file",
]
