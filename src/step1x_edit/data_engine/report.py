"""The report of a store: one HTML page that needs nothing else. Triplets by task, what filters dropped, and why."""

from __future__ import annotations

import html
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from step1x_edit.data_engine.remaking import Remaker
from step1x_edit.data_engine.report_figures import rejected_figure, triplet_figure
from step1x_edit.data_engine.sources.refusals import by_kind, read_refusals
from step1x_edit.schema.triplet import EditTriplet, Rejection
from step1x_edit.store import Manifest, read_records, read_rejections, read_shard, read_store_info, read_uids
from step1x_edit.store.manifest import read_manifest
from step1x_edit.store.statistics import StoreStatistics, count_store

__all__ = ["html_report"]

REFUSED_SHOWN = 12
"""Refused source files that are named."""

_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:84rem;padding:0 1rem;color:#222;background:#fff}
h2{margin-top:2.5rem}table{border-collapse:collapse;margin:.8rem 0}
th,td{padding:.2rem .7rem;text-align:right;border-bottom:1px solid #ddd}
th:first-child,td:first-child,td.left{text-align:left}.grid{display:flex;flex-wrap:wrap;gap:1rem}
figure{margin:0;width:392px}figure div{display:flex;gap:4px}img{display:block;border-radius:3px}
.rejected div{opacity:.75}figcaption{font-size:13px;margin-top:.2rem}small{color:#777}
.bar{display:inline-block;height:.7em;background:#4a8;vertical-align:middle}nav a{margin-right:1rem}
@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}th,td{border-color:#444}small{color:#999}}
"""


def html_report(
    folder: Path,
    *,
    per_task: int,
    rejected: int = 3,
    remaker: Remaker | None = None,
) -> str:
    """Return the page.

    Args:
        folder: The store.
        per_task: How many triplets of each task are shown, evenly over the run.
        rejected: How many rejected attempts are shown of each task and stage.
        remaker: Makes them again, so that they are seen, and knows the pool and what it refused; without it they are told
            in words.

    Raises:
        DataError: There is no store.
    """
    counts, manifest = count_store(folder), read_manifest(folder)
    figures = _figures(folder, _chosen(read_records(folder), per_task))
    examples = _rejected_examples(read_rejections(folder), rejected)
    unused = examples.pop("", [])
    sections = (
        _section(task, counts, figures[task], [rejected_figure(one, remaker and remaker.remade(one)) for one in told])
        for task, told in ((task, examples.get(task, [])) for task in counts.tasks)
    )
    return f"{_head(folder, counts, manifest)}{_overview(counts)}{_sources(unused, remaker)}{''.join(sections)}</html>"


def _head(folder: Path, counts: StoreStatistics, manifest: Manifest) -> str:
    title = html.escape(folder.resolve().name)
    settings = ", ".join(f"{name} {manifest.settings.get(name)}" for name in ("size", "seed", "split"))
    total, kept = sum(map(counts.attempts, counts.tasks)), sum(counts.triplets.values())
    links = "".join(f'<a href="#{task}">{task}</a>' for task in counts.tasks)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{_STYLE}</style><h1>{title}</h1><p>{total} attempts, {kept} triplets; "
        f"{html.escape(settings)}; step1x-edit {html.escape(manifest.pipeline_version)}; manifest hash "
        f"{manifest.hash or 'not finished'}.</p><nav>{links}</nav>"
    )


def _overview(counts: StoreStatistics) -> str:
    rows = "".join(
        f"<tr><td>{task}<td>{counts.attempts(task)}<td>{counts.triplets[task]}"
        f"<td>{counts.triplets[task] / counts.attempts(task):.0%}"
        for task in counts.tasks
    )
    return f"<table><tr><th>task<th>attempts<th>kept<th>share{rows}</table>"


def _section(task: str, counts: StoreStatistics, figures: list[str], rejected: list[str]) -> str:
    dropped = f'<h3>Rejected, for example</h3><div class="grid">{"".join(rejected)}</div>' if rejected else ""
    return f'<h2 id="{task}">{task}</h2>{_funnel(task, counts)}<div class="grid">{"".join(figures)}</div>{dropped}'


def _funnel(task: str, counts: StoreStatistics) -> str:
    """Return what was left after each step: the recipe, then filters in their order, then the run itself."""
    filters, stages = counts.filters.get(task, {}), dict(counts.stages.get(task, {}))
    left = attempts = counts.attempts(task)
    rows = [f"<tr><td>attempts<td><td><td>{left}<td class=left>{_bar(1.0)}"]
    own = [(stage, number, "") for stage, number in stages.items() if stage not in filters and stage != "duplicate"]
    asked = [(name, one.failed, one.not_run or "") for name, one in filters.items()]
    last = [("duplicate", stages["duplicate"], "")] if "duplicate" in stages else []
    for name, failed, not_run in [*own, *asked, *last]:
        left -= failed
        rows.append(
            f"<tr><td>{html.escape(name)}<td>{failed or ''}<td>{not_run}<td>{left}<td class=left>{_bar(left / attempts)}"
        )
    return f"<table><tr><th>step<th>rejected<th>not run<th>left<th>{''.join(rows)}</table>"


def _bar(share: float) -> str:
    return f'<span class="bar" style="width:{share * 12:.2f}rem"></span> {share:.0%}'


def _sources(unused: Sequence[Rejection], remaker: Remaker | None) -> str:
    """Return the funnel of source files, by what was wrong with those that were refused, and the first of them."""
    refused = [*unused, *(read_refusals(remaker.folder) if remaker else ())]
    left = len({one.sha256 for one in remaker.pool.pictures}) + len(refused) if remaker else None
    if not refused and left is None:
        return ""
    rows = [] if left is None else [f"<tr><td>files<td><td>{left}"]
    for kind, number in by_kind(refused).most_common():
        left = None if left is None else left - number
        rows.append(f"<tr><td>{html.escape(kind)}<td>{number}<td>{'' if left is None else left}")
    names = "".join(f"<li>{html.escape(one.reason)}" for one in refused[:REFUSED_SHOWN])
    more = f"<li>and {len(refused) - REFUSED_SHOWN} more" if len(refused) > REFUSED_SHOWN else ""
    listed = f"<details><summary>Refused files</summary><ul>{names}{more}</ul></details>" if refused else ""
    return f"<h2>Source files</h2><table><tr><th>step<th>refused<th>left{''.join(rows)}</table>{listed}"


def _chosen(records: Iterable[EditTriplet], per_task: int) -> set[str]:
    by_task: dict[str, list[str]] = defaultdict(list)
    for record in records:
        by_task[record.task.value].append(record.uid)
    return {
        uids[index]
        for uids in by_task.values()
        for index in np.linspace(0, len(uids) - 1, min(per_task, len(uids)), dtype=int)
    }


def _figures(folder: Path, chosen: set[str]) -> dict[str, list[str]]:
    """Return the figures by task; shards that hold none of the chosen are not opened."""
    figures: dict[str, list[str]] = defaultdict(list)
    for facts in read_store_info(folder).shards:
        if chosen.intersection(read_uids(folder, facts)):
            for one in read_shard(folder, facts).triplets:
                if one.record.uid in chosen:
                    figures[one.record.task.value].append(triplet_figure(one))
    return figures


def _rejected_examples(rejections: Iterable[Rejection], most: int) -> dict[str, list[Rejection]]:
    examples: dict[str, list[Rejection]] = defaultdict(list)
    seen: dict[tuple[str, str], int] = defaultdict(int)
    for one in rejections:
        task = one.task.value if one.task else ""
        seen[task, one.stage] += 1
        if seen[task, one.stage] <= most:
            examples[task].append(one)
    return examples
