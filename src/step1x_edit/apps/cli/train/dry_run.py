"""``--dry-run``: pairs, buckets, steps, memory and disk of a run, told before a weight is read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from step1x_edit.errors import Step1XEditError
from step1x_edit.presets.releases import find_release
from step1x_edit.presets.training import find_training_preset
from step1x_edit.sampling.resolution import GRID_PX
from step1x_edit.training.buckets import frame_of
from step1x_edit.training.config import Method, TrainingConfig
from step1x_edit.training.estimate import (
    cache_bytes,
    caching_gb,
    checkpoint_bytes,
    memory_parts,
    network_without_memory,
    read_sizes,
    text_tokens,
)
from step1x_edit.training.methods.readiness import check_methods
from step1x_edit.training.pairs import open_pairs

__all__ = ["PairCounts", "count_pairs", "show_plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairCounts:
    """What the heads of all pictures tell."""

    pairs: int
    examples: int
    """Pairs times the instructions that are taken of each."""
    buckets: Counter[tuple[int, int]]
    """Examples by (width, height) in pixels."""


def count_pairs(config: TrainingConfig) -> PairCounts:
    """Count pairs and buckets without decoding a picture.

    Raises:
        DataError: A source or a partner is not there.
    """
    size_level = _size_level(config)
    pairs, buckets = 0, Counter()
    for source in map(open_pairs, config.data.sources):
        for index in range(len(source)):
            facts = source.facts(index)
            frame = frame_of(facts.target_size, size_level=size_level, has_reference=facts.has_reference)
            pairs += 1
            buckets[frame.canvas] += sum(1 for language in config.data.languages if facts.instructions.get(language))
    return PairCounts(pairs=pairs, examples=buckets.total(), buckets=buckets)


def show_plan(config: TrainingConfig, method: Method, *, console: Console) -> None:
    """Print what the run will take."""
    counts, sizes = count_pairs(config), read_sizes(config, method)
    text = text_tokens(find_release(config.model.release))
    pixels = max((width * height for width, height in counts.buckets), default=_size_level(config) ** 2)
    tokens = text + 2 * pixels // GRID_PX**2
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, words in _length_lines(config, counts, text, sizes.trained):
        table.add_row(name, words)
    table.add_section()
    parts = memory_parts(sizes, config, method, tokens=tokens)
    for part in parts:
        table.add_row(part.name, f"{part.gb:7.2f} GB")
    table.add_row(
        "memory, training", f"{sum(part.gb for part in parts):7.2f} GB, largest bucket; leave 1 GB for the driver"
    )
    table.add_row("memory, caching", f"{caching_gb(sizes, config, pixels=pixels):7.2f} GB, before training begins")
    table.add_section()
    mean_tokens = _mean_tokens(counts, pixels)
    cache = cache_bytes(sizes, image_tokens=mean_tokens, text=text, examples=counts.examples)
    table.add_row("disk, cache", f"{cache / 1e9:7.2f} GB")
    table.add_row(
        "disk, checkpoints",
        f"{checkpoint_bytes(sizes, config) / 1e9:7.2f} GB, {config.run.keep} kept and one being written",
    )
    console.print(table)
    console.print("Nothing was loaded or written. GB are 10^9 bytes.", highlight=False)
    try:
        check_methods(config, method, network_without_memory(config))
    except Step1XEditError as obstacle:
        console.print(f"Here the run would stop at once. {obstacle}", highlight=False)


def _length_lines(config: TrainingConfig, counts: PairCounts, text: int, trained: int) -> Iterator[tuple[str, str]]:
    yield "pairs", f"{counts.pairs}, {counts.examples} examples ({' and '.join(config.data.languages)})"
    grids = [f"{width} x {height} px ({number})" for (width, height), number in counts.buckets.most_common(6)]
    more = len(counts.buckets) - len(grids)
    yield "buckets", ", ".join(grids) + (f" and {more} more" if more > 0 else "")
    for width, height in [size for size, _ in counts.buckets.most_common(1)]:
        image = width * height // GRID_PX**2
        yield "tokens", f"{text + 2 * image} of an example: target {image}, reference {image}, text about {text}"
    per_step = config.run.batch * config.run.accumulate
    per_epoch = max(1, counts.examples // per_step)
    if config.run.minutes is not None:
        yield "length", f"{config.run.minutes:g} minutes of training, as many steps as that allows"
    else:
        steps = config.run.steps or math.ceil((config.run.epochs or 1) * per_epoch)
        yield "length", f"{steps} steps of {per_step} examples, {steps / per_epoch:.1f} epochs"
    yield "time", find_training_preset(config.preset).time if config.preset else "not measured for these settings"
    yield "trained values", f"{trained:,}"


def _mean_tokens(counts: PairCounts, largest: int) -> int:
    total = sum(width * height * number for (width, height), number in counts.buckets.items())
    return (total // counts.examples if counts.examples else largest) // GRID_PX**2


def _size_level(config: TrainingConfig) -> int:
    return config.data.size_level or find_release(config.model.release).defaults.size_level
