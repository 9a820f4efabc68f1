"""Where a network that is needed for a while fits: on the card, or else in the processor's memory."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["device_with_room"]

_SPARE = 1.15
"""Activations of one forward pass, and what a card's allocator cannot use."""


def device_with_room(network: nn.Module, device: torch.device) -> torch.device:
    """Return the device, or the processor where a card has too little free memory for a network.

    Args:
        network: Not yet on the device.
        device: Where it is wanted.
    """
    if device.type != "cuda":
        return device
    needed = sum(tensor.numel() * tensor.element_size() for tensor in (*network.parameters(), *network.buffers()))
    free, _ = torch.cuda.mem_get_info(device)
    return device if free > _SPARE * needed else torch.device("cpu")
