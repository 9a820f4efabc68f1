"""What cannot work is said before a pair is encoded: packages, patterns, schedules, stored forms."""

from __future__ import annotations

from step1x_edit.models.transformer import Step1XEditTransformer2DModel
from step1x_edit.training.config import Method, TrainingConfig
from step1x_edit.training.methods.full import train_parts
from step1x_edit.training.methods.lora import adapter_parameters, refuse_cached_conditioning
from step1x_edit.training.methods.optimizers import refuse_schedule
from step1x_edit.training.methods.packages import training_package

__all__ = ["check_methods"]

_BASES = {"fp8": "torchao.quantization", "int8": "torchao.quantization", "nf4": "bitsandbytes"}
_OPTIMIZERS = {"adamw_8bit": "bitsandbytes", "schedule_free": "schedulefree"}


def check_methods(config: TrainingConfig, method: Method, network: Step1XEditTransformer2DModel) -> None:
    """Stop a run whose methods cannot work.

    Args:
        config: The whole configuration.
        method: Adapters, or the weights themselves.
        network: The transformer without memory (:func:`step1x_edit.models.checkpoint.loading.empty_transformer`).

    Raises:
        RequestError: A pattern fits nothing, or a part, a stored form or a schedule does not go with the method.
        MissingExtra: A package that the base or the optimiser needs is absent.
    """
    refuse_cached_conditioning(config.model.train)
    refuse_schedule(config.optimizer)
    if method == "full":
        train_parts(network, config.model)
    else:
        adapter_parameters(network, config.lora, train=config.model.train)
    wanted = (_BASES.get(config.model.base), _OPTIMIZERS.get(config.optimizer.name))
    for package in filter(None, wanted):
        training_package(package)
