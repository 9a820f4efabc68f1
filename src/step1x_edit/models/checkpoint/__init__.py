"""Published weights in, our networks out, and back.

In: the released single files (official names), diffusers folders, LoRA files in kohya and PEFT names. Out: networks
whose every tensor was matched by name and shape, converted files, reports. Only safetensors is read, never a pickle.
"""

from step1x_edit.models.checkpoint.loading import load_transformer, load_vae

__all__ = ["load_transformer", "load_vae"]
