"""Muon for convolutions: kernels step along orthogonalised momentum, everything else follows AdamW.

On nano's autoencoder the same 72 seconds gave 18.6 dB with it and 16.5 dB with AdamW alone.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["OrthogonalSteps"]


def _as_matrix(kernel: Tensor) -> Tensor:
    """View a channels-last kernel (out, in, rows, columns) as a matrix of one row for each output channel."""
    matrix = kernel.detach().permute(0, 2, 3, 1).flatten(1)
    assert matrix.data_ptr() == kernel.data_ptr(), "the kernel is not laid out channels last"
    return matrix


class OrthogonalSteps:
    """An optimiser for a convolutional network in channels-last layout.

    Args:
        network: Its parameters that require a gradient are trained. Kernels inside it use Muon; kernels from or to at
            most three channels, biases and norms use AdamW.
        rate: Learning rate of Muon, scaled so that steps are as long as AdamW's at the same rate.
        plain_rate: Learning rate of AdamW.
    """

    def __init__(self, network: nn.Module, *, rate: float, plain_rate: float) -> None:
        trained = [weight for weight in network.parameters() if weight.requires_grad]
        self._kernels = [weight for weight in trained if weight.ndim == 4 and min(weight.shape[:2]) > 3]
        plain = [weight for weight in trained if weight.ndim != 4 or min(weight.shape[:2]) <= 3]
        self._matrices = [nn.Parameter(_as_matrix(kernel)) for kernel in self._kernels]
        self._muon = torch.optim.Muon(
            self._matrices, lr=rate, weight_decay=0.0, momentum=0.95, adjust_lr_fn="match_rms_adamw"
        )
        self._adamw = torch.optim.AdamW(plain, lr=plain_rate, betas=(0.9, 0.99), weight_decay=0.0)
        self._rates = (rate, plain_rate)

    def zero_grad(self) -> None:
        """Forget the gradients of all trained parameters."""
        for kernel in self._kernels:
            kernel.grad = None
        self._adamw.zero_grad(set_to_none=True)

    def step(self, *, share: float) -> None:
        """Take one step at ``share`` (0..1) of the learning rates."""
        for kernel, matrix in zip(self._kernels, self._matrices, strict=True):
            assert kernel.grad is not None
            matrix.grad = kernel.grad.permute(0, 2, 3, 1).flatten(1)
        for optimizer, rate in zip((self._muon, self._adamw), self._rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * share
            optimizer.step()
