"""Where a step went wrong: which module's numbers stopped being finite, and with which examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["bad_activation", "bad_examples", "bad_gradient"]

_TOLD = 8
"""Names that a sentence holds."""


def bad_examples(names: Sequence[str], losses: Float[Tensor, " examples"]) -> list[str]:
    """Return the examples to look at: those without a finite loss, or else the one with the largest.

    Args:
        names: Of the examples.
        losses: Of each of them.
    """
    broken = [name for name, fine in zip(names, torch.isfinite(losses).tolist(), strict=True) if not fine]
    return broken[:_TOLD] or [names[int(losses.argmax())]]


def bad_activation(network: nn.Module, forward: Callable[[], Any]) -> str | None:
    """Return the first weight that is not finite, or else the first module whose output is not, or ``None``.

    Args:
        network: The network.
        forward: Runs the step's forward pass again.
    """
    weight = next((name for name, weight in network.named_parameters() if not _finite(weight)), None)
    if weight is not None:
        return weight
    with _listening(network) as bad, torch.no_grad(), torch.compiler.set_stance("force_eager"):
        forward()
    return bad[0] if bad else None


def bad_gradient(network: nn.Module) -> str | None:
    """Return the module where the backward pass first met gradients that are not finite, or ``None``.

    It goes from the output to the input, and modules are registered in the order of the forward pass: the last one.
    """
    bad = [name for name, weight in network.named_parameters() if weight.grad is not None and not _finite(weight.grad)]
    return bad[-1].rpartition(".")[0] if bad else None


@contextmanager
def _listening(network: nn.Module) -> Iterator[list[str]]:
    bad: list[str] = []

    def listener(name: str) -> Callable[..., None]:
        def listen(_module: nn.Module, _args: Any, output: Any) -> None:
            if not bad and not all(_finite(tensor) for tensor in _tensors(output)):
                bad.append(name)

        return listen

    # Inner modules return before outer ones, so the first name is the narrowest.
    handles = [module.register_forward_hook(listener(name)) for name, module in network.named_modules() if name]
    try:
        yield bad
    finally:
        for handle in handles:
            handle.remove()


def _tensors(output: Any) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, list | tuple):
        for part in output:
            yield from _tensors(part)


def _finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())
