"""The data card of a store: what is in it, where it comes from, under which licences, what was left out, and its limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from step1x_edit.store.manifest import Manifest, read_manifest
from step1x_edit.store.statistics import FilterCount, StoreStatistics, count_store

__all__ = ["data_card"]

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
LIMITS = """\
- Pairs are made by recipes, not by people: composed scenes have a drawn shadow and matched light, not the true ones.
- Instructions are written by a grammar in English and Chinese, further ones by a model where `rewording` names
  it. They say what was done and nothing else.
- Filters measure pixels and ask small models. What they cannot see is not filtered; look at `step1x data report`.
- A filter whose expert was absent did not run; the table says how often.
- Whole pictures are held out, look-alikes included, but other data sets may hold the same pictures."""


def data_card(folder: Path) -> str:
    """Return the card as Markdown, with the header that the Hugging Face hub reads.

    Raises:
        DataError: There is no store.
    """
    manifest, counts = read_manifest(folder), count_store(folder)
    sections = (
        _header(counts),
        f"# {folder.resolve().name}: edit triplets\n",
        _what(manifest, counts),
        "## Counts\n\n" + _task_table(counts),
        "## Sources and licences\n\n" + _licences(counts),
        "## How they were made\n\n" + _making(manifest, counts),
        "## Filters\n\n" + _filter_table(counts),
        f"## Limits\n\n{LIMITS}\n",
    )
    return "\n".join(sections)


def _header(counts: StoreStatistics) -> str:
    total = sum(counts.triplets.values())
    size = next((name for bound, name in SIZES if total < bound), "n>1M")
    return (
        f"---\nlicense: other\ntask_categories:\n- image-to-image\nlanguage:\n- en\n- zh\n"
        f"size_categories:\n- {size}\ntags:\n- image-editing\n---\n"
    )


def _what(manifest: Manifest, counts: StoreStatistics) -> str:
    size = manifest.settings.get("size")
    shape = f" of {size} x {size} pixels" if size else ""
    return (
        f"{sum(counts.triplets.values())} triplets{shape}: a reference image, an instruction in English and Chinese, and "
        f"the target image, with a mask of where they may differ.\n"
        f"Made with step1x-edit {manifest.pipeline_version}; manifest hash `{manifest.hash or 'not finished'}`.\n"
    )


def _task_table(counts: StoreStatistics) -> str:
    rows = []
    for task in counts.tasks:
        attempts, kept = counts.attempts(task), counts.triplets[task]
        reasons = ", ".join(f"{stage} {number}" for stage, number in counts.stages.get(task, {}).items())
        rows.append(f"| {task} | {attempts} | {kept} | {kept / attempts:.0%} | {reasons} |")
    rows += (
        [f"| (sources that could not be used) | {sum(counts.stages[''].values())} | | | |"]
        if "" in counts.stages
        else []
    )
    head = "| task | attempts | kept | share | rejected by |\n|---|---:|---:|---:|---|\n"
    return head + "\n".join(rows) + "\n"


def _licences(counts: StoreStatistics) -> str:
    total = sum(counts.triplets.values())
    rows = "\n".join(f"| {name} | {number} |" for name, number in counts.licences.most_common())
    authors = f"\nAuthors named by the sources: {'; '.join(sorted(counts.authors))}.\n" if counts.authors else ""
    return (
        f"{len(counts.sources)} source pictures. {counts.permissive} of {total} triplets are made only of pictures that may "
        f"be passed on with a notice; `provenance.licences` says which licences each carries.\n\n"
        f"| licence | triplets with such a picture |\n|---|---:|\n{rows}\n{authors}"
    )


def _making(manifest: Manifest, counts: StoreStatistics) -> str:
    told = {**manifest.settings, "tasks": _tasks(manifest.settings.get("tasks", ()))}
    settings = "\n".join(f"- {name}: `{value}`" for name, value in told.items() if name != "experts")
    parts = ", ".join(f"{part} {version}".strip() for part, version in sorted(counts.parts))
    experts = manifest.settings.get("experts") or ["none"]
    return (
        f"{settings}\n- experts at hand: {', '.join(experts)}\n- parts that made triplets: {parts or 'not recorded'}\n"
    )


def _tasks(shares: Iterable[Mapping[str, Any]]) -> str:
    """Return the tasks as they are typed for a build."""
    return ", ".join(one["task"] if one["weight"] == 1 else f"{one['task']}:{one['weight']:g}" for one in shares)


def _filter_table(counts: StoreStatistics) -> str:
    rows = [
        f"| {task} | {name} | {_thresholds(one)} | {one.passed} | {one.failed} | {one.not_run} |"
        for task in counts.tasks
        for name, one in counts.filters.get(task, {}).items()
    ]
    if not rows:
        return "No filter ran.\n"
    return (
        "| task | filter | threshold | passed | failed | not run |\n|---|---|---|---:|---:|---:|\n"
        + "\n".join(rows)
        + "\n"
    )


def _thresholds(one: FilterCount) -> str:
    return ", ".join(f"{value:g}" for value in sorted(one.thresholds))
