"""A configuration → a run: pairs → cache → network with what learns → loop → exports and previews."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from torch import nn

from step1x_edit.models.checkpoint import load_transformer
from step1x_edit.models.checkpoint.loading import empty_transformer, open_transformer
from step1x_edit.models.transformer import Step1XEditTransformer2DModel
from step1x_edit.pipeline.weights import WeightPlaces, locate
from step1x_edit.presets.releases import find_release
from step1x_edit.schema.release import Conventions, Release
from step1x_edit.store.lock import locked
from step1x_edit.training.acceleration import accelerate_training, attention_put_back
from step1x_edit.training.cache import CachedExamples, CacheProgress, fill_cache, release_encoders
from step1x_edit.training.config import Method, TrainingConfig
from step1x_edit.training.dealing import CachedBatches
from step1x_edit.training.exports import base_sha256, export_adapter, export_weights
from step1x_edit.training.methods.bases import store_base
from step1x_edit.training.methods.ema import RunningMean
from step1x_edit.training.methods.full import full_dtype, train_parts
from step1x_edit.training.methods.lora import add_adapters
from step1x_edit.training.methods.optimizers import NamedParameter, build_optimizers
from step1x_edit.training.methods.readiness import check_methods
from step1x_edit.training.methods.schedules import rate_share
from step1x_edit.training.pairs import open_pairs
from step1x_edit.training.run.contract import Trainee
from step1x_edit.training.run.folder import begin_run, keep_hashes
from step1x_edit.training.run.loop import Loop, Periodic
from step1x_edit.training.run.previews import build_previews
from step1x_edit.training.run.watching import RunOutcome, Watcher
from step1x_edit.training.sampler import BatchSampler
from step1x_edit.training.step import flow_step_loss
from step1x_edit.training.validation import SuiteTable

__all__ = ["run_training"]


def run_training(
    config: TrainingConfig,
    *,
    method: Method,
    folder: Path,
    watcher: Watcher | None = None,
    stop: Callable[[], bool] = lambda: False,
    suite: SuiteTable | None = None,
) -> RunOutcome:
    """Train what a configuration asks for, or go on with the run in the folder.

    Args:
        config: The whole configuration.
        method: Adapters, or the weights themselves.
        folder: Of the run.
        watcher: Hears how it goes on.
        stop: Asked between steps whether to leave with a checkpoint.
        suite: Runs the mini suite that the configuration names.

    Raises:
        RequestError: The folder holds a run of other settings, or something cannot be done as asked.
        DataError: A pair cannot be used, or the disk is full.
        MissingRelease: The weights are not on this machine.
        CheckpointError: Weights are broken.
        NumericalError: Losses or gradients stay bad.
    """
    if config.run.threads:
        torch.set_num_threads(config.run.threads)
    accelerator = Accelerator(
        # Asked for by name, or several processes on a CPU would each take themselves for the only one.
        cpu=not torch.accelerator.is_available(),
        gradient_accumulation_steps=config.run.accumulate,
        kwargs_handlers=[DistributedDataParallelKwargs(broadcast_buffers=False)],
    )
    watcher = (watcher if accelerator.is_main_process else None) or Watcher()
    with _only_writer(folder, accelerator), attention_put_back():
        ground = _Ground.of(config, method, accelerator)
        if accelerator.is_main_process:
            where = {"device": accelerator.device.type, "processes": accelerator.num_processes}
            begin_run(folder, config, method=method, **where)
        examples = _cached(ground, folder, watcher)
        watcher.phase(f"loading the transformer of {ground.release.id}")
        transformer, learning = _network(ground)
        accelerate_training(transformer, config.run, tokens=_most_tokens(transformer, examples))
        if accelerator.is_main_process:
            keep_hashes(folder, _hashes(ground, examples))
        loop = Loop(
            _trainee(ground, transformer, learning, examples),
            run=config.run,
            clip_norm=config.optimizer.clip_norm,
            folder=folder,
            accelerator=accelerator,
            watcher=watcher,
            validation=_previews(ground, transformer, folder, suite, watcher),
            stop=stop,
        )
        return loop.train()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """What every step of the assembly stands on."""

    config: TrainingConfig
    method: Method
    release: Release
    places: WeightPlaces
    accelerator: Accelerator

    @classmethod
    def of(cls, config: TrainingConfig, method: Method, accelerator: Accelerator) -> _Ground:
        release = find_release(config.model.release)
        places = locate(release, config.model.weights)
        _, arguments = open_transformer(places.transformer, release=release.id)
        check_methods(config, method, empty_transformer(arguments))
        return cls(config=config, method=method, release=release, places=places, accelerator=accelerator)


@contextmanager
def _only_writer(folder: Path, accelerator: Accelerator) -> Iterator[None]:
    if not accelerator.is_main_process:
        yield
        return
    with locked(folder):
        yield


def _cached(ground: _Ground, folder: Path, watcher: Watcher) -> CachedExamples:
    """Encode what is not encoded yet, in the main process; the others read what it wrote."""
    config, release = ground.config, ground.release
    device = ground.accelerator.device
    encoders = release_encoders(release, config.model.weights, dtype=torch.bfloat16, device=device)

    def report(progress: CacheProgress) -> None:
        left = "" if progress.seconds_left is None else f", {progress.seconds_left / 60:.0f} min left"
        watcher.phase(f"{progress.stage} pairs {progress.done}/{progress.total}{left}")

    with ground.accelerator.main_process_first():
        return fill_cache(
            [open_pairs(source) for source in config.data.sources],
            config.data.cache or folder / "cache",
            encoders,
            size_level=config.data.size_level or release.defaults.size_level,
            languages=config.data.languages,
            batch=config.data.encode_batch,
            report=report,
        )


def _network(ground: _Ground) -> tuple[Step1XEditTransformer2DModel, list[NamedParameter]]:
    """Load the transformer on its device, with what learns."""
    model = ground.config.model
    dtype = full_dtype(model.base) if ground.method == "full" else _stored_dtype(model.base)
    transformer = load_transformer(ground.places.transformer, release=ground.release.id, dtype=dtype)
    if ground.method == "full":
        nn.Module.to(transformer, ground.accelerator.device)
        return transformer, train_parts(transformer, model)
    store_base(transformer, model.base, device=ground.accelerator.device)
    seed = ground.config.run.seed
    return transformer, add_adapters(transformer, ground.config.lora, train=model.train, seed=seed)


def _most_tokens(transformer: Step1XEditTransformer2DModel, examples: CachedExamples) -> int:
    """Return the tokens of the largest example: text, target and reference."""
    table = examples.table
    image_tokens = table.rows * table.columns * (1 + table.with_reference)
    return _conventions(transformer).max_text_tokens + int(image_tokens.max(initial=0))


def _conventions(transformer: Step1XEditTransformer2DModel) -> Conventions:
    return Conventions.model_validate(dict(transformer.config["conventions"]))


def _stored_dtype(base: str) -> torch.dtype:
    return torch.float32 if base == "fp32" else torch.bfloat16


def _trainee(
    ground: _Ground,
    transformer: Step1XEditTransformer2DModel,
    learning: Sequence[NamedParameter],
    examples: CachedExamples,
) -> Trainee:
    config = ground.config
    conventions = _conventions(transformer)
    weights = [weight for _, weight in learning]
    return Trainee(
        network=transformer,
        objective=lambda network, batch, seed: flow_step_loss(
            network, batch, objective=config.objective, conventions=conventions, seed=seed
        ),
        optimizers=build_optimizers(learning, config.optimizer),
        rate_share=lambda step, share: rate_share(config.optimizer, step=step, progress=share),
        batches=CachedBatches(examples, _sampler(ground, examples)),
        mean=RunningMean(weights, decay=config.run.ema_decay) if config.run.ema_decay else None,
        export=lambda folder: _export(ground, transformer, folder),
    )


def _sampler(ground: _Ground, examples: CachedExamples) -> BatchSampler:
    config, accelerator = ground.config, ground.accelerator
    return BatchSampler(
        examples.table,
        batch=config.run.batch * accelerator.num_processes,
        seed=config.run.seed,
        weights=[source.weight for source in config.data.sources],
        text_to_image_share=config.objective.text_to_image_share,
        instruction_dropout=config.objective.instruction_dropout,
        rank=accelerator.process_index,
        processes=accelerator.num_processes,
    )


def _export(ground: _Ground, transformer: Step1XEditTransformer2DModel, folder: Path) -> Sequence[Path]:
    if ground.method == "full":
        return export_weights(transformer, folder, force=True)
    return export_adapter(transformer, folder, base=_base_hash(ground))


def _base_hash(ground: _Ground) -> str:
    return base_sha256(ground.places.transformer, release=ground.release.id)


def _hashes(ground: _Ground, examples: CachedExamples) -> dict[str, str]:
    data = hashlib.sha256(examples.table.keys).hexdigest()
    return {"transformer": _base_hash(ground), "examples": data}


def _previews(
    ground: _Ground,
    transformer: Step1XEditTransformer2DModel,
    folder: Path,
    suite: SuiteTable | None,
    watcher: Watcher,
) -> Periodic | None:
    """Only the main process looks; the others wait for it."""
    settings = ground.config.validation
    if not settings.cases and settings.suite is None:
        return None
    if not ground.accelerator.is_main_process:
        return Periodic(every=settings.every, act=lambda _: None)
    watcher.phase("drawing the base model's pictures")
    return build_previews(
        settings,
        transformer,
        places=ground.places,
        method=ground.method,
        device=ground.accelerator.device,
        folder=folder / "validation",
        suite=suite,
        notice=watcher.notice,
    )
