"""Optimisers from libraries, behind one object that steps, scales its rates and is stored and restored to the bit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from step1x_edit.errors import RequestError
from step1x_edit.training.config import OptimizerConfig
from step1x_edit.training.methods.packages import training_package

__all__ = ["NamedParameter", "Optimizers", "build_optimizers", "decay_groups", "is_block_matrix", "refuse_schedule"]

NamedParameter = tuple[str, nn.Parameter]

_MUON_MOMENTUM = 0.95
_EPSILON = 1e-8


class Optimizers:
    """One or more optimisers over disjoint parameters, used as one.

    Args:
        members: The optimisers; each group's present ``lr`` is its full rate.
    """

    def __init__(self, members: Sequence[torch.optim.Optimizer]) -> None:
        self.members = tuple(members)
        self._rates = [[group["lr"] for group in member.param_groups] for member in members]
        for member in self._averaging():
            member.train()

    def step(self) -> None:
        """Take one step with the gradients at hand."""
        for member in self.members:
            member.step()

    def zero_grad(self) -> None:
        """Forget the gradients and free their memory."""
        for member in self.members:
            member.zero_grad(set_to_none=True)

    def scale_rates(self, share: float) -> None:
        """Set every group's rate to a share of its full rate (:func:`.schedules.rate_share`)."""
        for member, rates in zip(self.members, self._rates, strict=True):
            for group, rate in zip(member.param_groups, rates, strict=True):
                group["lr"] = rate * share

    @property
    def rate(self) -> float:
        """Present learning rate of the first group, for the record of a run."""
        return self.members[0].param_groups[0]["lr"]

    @contextmanager
    def evaluated(self) -> Iterator[None]:
        """Let the parameters be what should be looked at or exported; afterwards they are what they were, to the bit.

        Only schedule-free optimisers step along other points than the mean they promise. Their own way back is an
        interpolation that rounds, so the parameters are kept aside instead: memory of one more copy.
        """
        averaging = self._averaging()
        kept = [(parameter, parameter.detach().clone()) for member in averaging for parameter in _parameters(member)]
        for member in averaging:
            member.eval()
        try:
            yield
        finally:
            with torch.no_grad():
                for parameter, value in kept:
                    parameter.copy_(value)
            for member in averaging:
                for group in member.param_groups:
                    group["train_mode"] = True

    def state_dict(self) -> dict[str, Any]:
        """Return tensors and numbers, nested; what :meth:`load_state_dict` takes."""
        return {"members": [member.state_dict() for member in self.members]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where :meth:`state_dict` was taken, with the same parameters in the same order.

        Raises:
            RequestError: The state is of another optimiser or of other parameters.
        """
        stored = list(state["members"])
        if len(stored) != len(self.members):
            raise _another_state(f"{len(stored)} optimisers instead of {len(self.members)}")
        for member, part in zip(self.members, stored, strict=True):
            _load(member, part)

    def _averaging(self) -> list[Any]:
        return [member for member in self.members if "train_mode" in member.param_groups[0]]


def build_optimizers(parameters: Iterable[NamedParameter], config: OptimizerConfig) -> Optimizers:
    """Build what a run asks for.

    Args:
        parameters: Names and parameters that learn, always in the same order.
        config: Which optimiser, with which rates.

    Returns:
        The optimisers, in training mode. Under ``muon`` the blocks' matrices step along orthogonalised momentum and
        alone decay; everything else follows AdamW.

    Raises:
        MissingExtra: The library that holds the optimiser is not installed.
        RequestError: The schedule does not go with the optimiser, or nothing learns.
    """
    named = [(name, parameter) for name, parameter in parameters if parameter.requires_grad]
    if not named:
        raise RequestError(
            given="a run in which no weight learns",
            expected="at least one trainable weight",
            remedy="Name a part in model.train, or a pattern in lora.targets that fits a layer.",
        )
    return Optimizers(_BUILDERS[config.name](named, config))


def refuse_schedule(config: OptimizerConfig) -> None:
    """Stop a schedule-free optimiser under a schedule.

    Raises:
        RequestError: The two do not go together.
    """
    if config.name == "schedule_free" and config.schedule != "constant":
        raise RequestError(
            given=f"optimizer.name = schedule_free with schedule = {config.schedule}",
            expected="schedule = constant, with a warm-up where one is wanted",
            remedy="Leave optimizer.schedule out; the optimiser's own mean takes the place of a falling rate.",
        )


def decay_groups(named: Iterable[NamedParameter], weight_decay: float) -> list[dict[str, Any]]:
    """Split parameters into those that decay (matrices) and those that do not (biases, norms)."""
    named = list(named)
    matrices = [parameter for _, parameter in named if parameter.ndim >= 2]
    rest = [parameter for _, parameter in named if parameter.ndim < 2]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def is_block_matrix(name: str, parameter: nn.Parameter) -> bool:
    """Whether Muon takes it: a matrix of attention or feed-forward inside a block, modulation and norms excepted."""
    return "blocks." in name and parameter.ndim == 2 and "norm" not in name and "adaLN" not in name


def _adamw(named: list[NamedParameter], config: OptimizerConfig) -> list[torch.optim.Optimizer]:
    groups = decay_groups(named, config.weight_decay)
    return [torch.optim.AdamW(groups, lr=config.rate, betas=config.betas, eps=_EPSILON, fused=True)]


def _adamw_8bit(named: list[NamedParameter], config: OptimizerConfig) -> list[torch.optim.Optimizer]:
    library = training_package("bitsandbytes")
    groups = decay_groups(named, config.weight_decay)
    return [library.optim.AdamW8bit(groups, lr=config.rate, betas=config.betas, eps=_EPSILON)]


def _schedule_free(named: list[NamedParameter], config: OptimizerConfig) -> list[torch.optim.Optimizer]:
    refuse_schedule(config)
    library = training_package("schedulefree")
    groups = decay_groups(named, config.weight_decay)
    return [library.AdamWScheduleFree(groups, lr=config.rate, betas=config.betas, eps=_EPSILON)]


def _muon(named: list[NamedParameter], config: OptimizerConfig) -> list[torch.optim.Optimizer]:
    matrices = [parameter for name, parameter in named if is_block_matrix(name, parameter)]
    rest = [parameter for name, parameter in named if not is_block_matrix(name, parameter)]
    members: list[torch.optim.Optimizer] = []
    if matrices:
        muon = torch.optim.Muon(
            matrices,
            lr=config.matrix_rate or 2 * config.rate,
            momentum=_MUON_MOMENTUM,
            weight_decay=config.weight_decay,
            adjust_lr_fn="match_rms_adamw",
        )
        members.append(muon)
    if rest:
        adamw = torch.optim.AdamW(rest, lr=config.rate, betas=config.betas, eps=_EPSILON, weight_decay=0.0, fused=True)
        members.append(adamw)
    return members


_BUILDERS: dict[str, Callable[[list[NamedParameter], OptimizerConfig], list[torch.optim.Optimizer]]] = {
    "adamw": _adamw,
    "adamw_8bit": _adamw_8bit,
    "schedule_free": _schedule_free,
    "muon": _muon,
}


def _parameters(optimizer: torch.optim.Optimizer) -> Iterator[torch.Tensor]:
    for group in optimizer.param_groups:
        yield from group["params"]


def _load(optimizer: torch.optim.Optimizer, part: Mapping[str, Any]) -> None:
    sizes = [len(group["params"]) for group in part["param_groups"]]
    own_sizes = [len(group["params"]) for group in optimizer.param_groups]
    if sizes != own_sizes:
        raise _another_state(f"groups of {sizes} parameters instead of {own_sizes}")
    optimizer.load_state_dict(dict(part))


def _another_state(found: str) -> RequestError:
    return RequestError(
        given=f"an optimiser's state with {found}",
        expected="the state of this run",
        remedy="Resume with the config the run was started with, or start a new run from its weights.",
    )
