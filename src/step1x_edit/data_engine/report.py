"""The report of a store: one HTML page that needs nothing else. Triplets by task, what filters dropped, and why."""

from __future__ import annotations

import base64
import html
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from step1x_edit.measures.masks import decode_mask
from step1x_edit.schema.triplet import EditTriplet, Rejection
from step1x_edit.store import EncodedTriplet, read_records, read_rejections, read_shard, read_store_info, read_uids
from step1x_edit.store.manifest import read_manifest
from step1x_edit.store.picture_codec import decode_picture
from step1x_edit.store.statistics import StoreStatistics, count_store

__all__ = ["html_report"]

SIDE = 192
"""Long side of a thumbnail, in pixels."""
QUALITY = 76
OUTLINE = (255, 0, 200)
REJECTED_SHOWN = 4
"""Examples of each stage and task."""

_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:84rem;padding:0 1rem;color:#222;background:#fff}
h2{margin-top:2.5rem}table{border-collapse:collapse;margin:.8rem 0}
th,td{padding:.2rem .7rem;text-align:right;border-bottom:1px solid #ddd}
th:first-child,td:first-child,td.left{text-align:left}.grid{display:flex;flex-wrap:wrap;gap:1rem}
figure{margin:0;width:392px}figure div{display:flex;gap:4px}img{display:block;border-radius:3px}
figcaption{font-size:13px;margin-top:.2rem}small{color:#777}
.bar{display:inline-block;height:.7em;background:#4a8;vertical-align:middle}nav a{margin-right:1rem}
@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}th,td{border-color:#444}small{color:#999}}
"""


def html_report(folder: Path, *, per_task: int) -> str:
    """Return the page.

    Args:
        folder: The store.
        per_task: How many triplets of each task are shown, evenly over the run.

    Raises:
        DataError: There is no store.
    """
    counts, manifest = count_store(folder), read_manifest(folder)
    figures = _figures(folder, _chosen(read_records(folder), per_task))
    rejected = _rejected_examples(read_rejections(folder))
    title = html.escape(folder.resolve().name)
    settings = ", ".join(f"{name} {manifest.settings.get(name)}" for name in ("size", "seed", "split"))
    total, kept = sum(map(counts.attempts, counts.tasks)), sum(counts.triplets.values())
    sections = "".join(_section(task, counts, figures[task], rejected[task]) for task in counts.tasks)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{_STYLE}</style><h1>{title}</h1><p>{total} attempts, {kept} triplets; "
        f"{html.escape(settings)}; step1x-edit {html.escape(manifest.pipeline_version)}; manifest hash "
        f"{manifest.hash or 'not finished'}.</p><nav>"
        + "".join(f'<a href="#{task}">{task}</a>' for task in counts.tasks)
        + f"</nav>{_overview(counts)}{sections}{_sources(rejected.get('', []))}</html>"
    )


def _overview(counts: StoreStatistics) -> str:
    rows = "".join(
        f"<tr><td>{task}<td>{counts.attempts(task)}<td>{counts.triplets[task]}"
        f"<td>{counts.triplets[task] / counts.attempts(task):.0%}"
        for task in counts.tasks
    )
    return f"<table><tr><th>task<th>attempts<th>kept<th>share{rows}</table>"


def _section(task: str, counts: StoreStatistics, figures: list[str], rejected: list[Rejection]) -> str:
    examples = "".join(
        f'<tr><td>{html.escape(one.stage)}<td class="left">{html.escape(one.reason)}<td>{_number(one.value)}'
        f"<td>{_number(one.threshold)}<td>{one.provenance.attempt}<td class=left>{', '.join(one.provenance.sources)}"
        for one in rejected
    )
    heads = "".join(f"<th>{head}" for head in ("by", "reason", "value", "bound", "attempt", "sources"))
    dropped = f"<h3>Rejected, for example</h3><table><tr>{heads}{examples}</table>"
    return (
        f'<h2 id="{task}">{task}</h2>{_funnel(task, counts)}<div class="grid">{"".join(figures)}</div>'
        f"{dropped if examples else ''}"
    )


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


def _sources(rejected: list[Rejection]) -> str:
    rows = "".join(f'<tr><td>{html.escape(one.stage)}<td class="left">{html.escape(one.reason)}' for one in rejected)
    return f"<h2>Sources that could not be used</h2><table>{rows}</table>" if rows else ""


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
                    figures[one.record.task.value].append(_figure(one))
    return figures


def _figure(one: EncodedTriplet) -> str:
    record = one.record
    reference, target = _small(decode_picture(one.reference)), _small(decode_picture(one.target))
    outlined = _outlined(reference, decode_mask(record.mask))
    pictures = "".join(f'<img src="{_data_url(picture)}" alt="">' for picture in (outlined, target))
    return (
        f"<figure><div>{pictures}</div><figcaption>{html.escape(record.instruction_en)}<br>"
        f"{html.escape(record.instruction_cn)}<br><small>{record.provenance.attempt} &middot; {record.uid[:8]} &middot; "
        f"{html.escape(record.subtask)}</small></figcaption></figure>"
    )


def _rejected_examples(rejections: Iterator[Rejection]) -> dict[str, list[Rejection]]:
    examples: dict[str, list[Rejection]] = defaultdict(list)
    seen: dict[tuple[str, str], int] = defaultdict(int)
    for one in rejections:
        task = one.task.value if one.task else ""
        seen[task, one.stage] += 1
        if seen[task, one.stage] <= REJECTED_SHOWN:
            examples[task].append(one)
    return examples


def _small(picture: UInt8[np.ndarray, "height width 3"]) -> Image.Image:
    small = Image.fromarray(picture)
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return small


def _outlined(picture: Image.Image, mask: Bool[np.ndarray, "height width"]) -> Image.Image:
    """Draw the border of a mask; a mask that covers everything has none."""
    inside = np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize(picture.size, Image.Resampling.BOX)) > 127
    edge = np.zeros_like(inside)
    edge[1:] |= inside[1:] != inside[:-1]
    edge[:, 1:] |= inside[:, 1:] != inside[:, :-1]
    pixels = np.array(picture)
    pixels[edge] = OUTLINE
    return Image.fromarray(pixels)


def _data_url(picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
