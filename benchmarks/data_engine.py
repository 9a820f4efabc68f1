"""The data engine: attempts per second by recipe, the cold pass, the engine against a plain loop, one worker against two.

Run by hand on a quiet machine, over a pool that was built before and whose mattes are cached::

    .venv/bin/python benchmarks/data_engine.py recipes --pool POOL --size 512
    .venv/bin/python benchmarks/data_engine.py cold PICTURES
    .venv/bin/python benchmarks/data_engine.py fixed --pool POOL
    .venv/bin/python benchmarks/data_engine.py workers --pool POOL
    .venv/bin/python benchmarks/data_engine.py memory --pool POOL
"""

from __future__ import annotations

import argparse
import io
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from machine import describe_machine
from PIL import Image

from step1x_edit.data_engine.filters.chain import chain, judge
from step1x_edit.data_engine.pair import EditPair
from step1x_edit.data_engine.pool import Picture, Pool, default_pool_folder
from step1x_edit.data_engine.run import Outcome, RunSettings, Watcher, build
from step1x_edit.data_engine.run.asked_tasks import parse_tasks
from step1x_edit.data_engine.run.hire import Hire, fingerprint, parts_at_hand
from step1x_edit.data_engine.run.rejections import short_hash
from step1x_edit.data_engine.sources.ingest import ingest
from step1x_edit.data_engine.sources.opening import open_source
from step1x_edit.data_engine.sources.workers import ExpertPass
from step1x_edit.data_engine.wish import Wish
from step1x_edit.experts.embedded import EmbeddedExperts
from step1x_edit.measures.hashing import perceptual_hash, pixel_sha256
from step1x_edit.measures.masks import encode_mask
from step1x_edit.schema.tasks import EditTask
from step1x_edit.schema.triplet import EditTriplet, ImageFacts, Provenance, Rejection
from step1x_edit.store import EncodedTriplet, encode_triplet

FIXED = EditTask.TONE_TRANSFORMATION
"""The fixed work is filtered as this task."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("recipes", "cold", "fixed", "workers", "memory"))
    parser.add_argument("pictures", nargs="?", help="for cold: a folder of pictures")
    parser.add_argument("--pool", type=Path, default=default_pool_folder())
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--tasks", default="all")
    options = parser.parse_args()
    print(describe_machine())
    globals()[f"measure_{options.what}"](options)


def settings_of(options: argparse.Namespace, tasks: str, *, size: int | None = None) -> RunSettings:
    return RunSettings(
        tasks=parse_tasks(tasks),
        size=size or options.size,
        seed=0,
        sources=fingerprint(Pool.open(options.pool)),
        experts=parts_at_hand(),
    )


def measure_recipes(options: argparse.Namespace) -> None:
    """Attempts with everything that belongs to them, in this process, a task at a time."""
    for share in parse_tasks(options.tasks):
        settings = settings_of(options, share.task.value)
        make = Hire(pool=options.pool, settings=settings)()
        for attempt in range(-(-options.count // 20)):
            make(options.count + attempt)  # Models are loaded and caches are warm.
        began = time.perf_counter()
        outcomes = [isinstance(make(attempt), Rejection) for attempt in range(options.count)]
        rate = options.count / (time.perf_counter() - began)
        print(f"{share.task.value:16s} {rate:6.2f} attempts/s, {1 - statistics.mean(outcomes):5.0%} kept")


def measure_cold(options: argparse.Namespace) -> None:
    """The cold pass with mattes, none of them cached."""
    with tempfile.TemporaryDirectory() as folder:
        experts = EmbeddedExperts()
        part = experts.part("matte")
        cold = ExpertPass(experts=EmbeddedExperts, cache=Path(folder) / "mattes", version=f"{part.part} {part.version}")
        began = time.perf_counter()
        done = ingest(open_source(options.pictures), Path(folder) / "pool", expert_pass=cold)
        print(
            f"cold pass: {(time.perf_counter() - began) / done.offered:.2f} s a picture, {done.files} of {done.offered}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedWork:
    """Gives workers the work that every attempt has and no recipe: read, hash, filter, encode."""

    settings: RunSettings
    files: tuple[bytes, ...]

    def __call__(self) -> Callable[[int], EncodedTriplet]:
        return partial(fixed_work, self)


def fixed_work(work: FixedWork, attempt: int) -> EncodedTriplet:
    """Decode and orient a photograph, darken it, and do with the pair what the engine does with every pair."""
    pixels = np.asarray(Image.open(io.BytesIO(work.files[attempt % len(work.files)])).convert("RGB"))
    darker = np.float32(0.5 + attempt // len(work.files) / 200)
    target = np.clip(pixels * darker, 0, 255).astype(np.uint8)
    pair = EditPair(
        reference=pixels,
        target=target,
        changed=np.ones(pixels.shape[:2], dtype=bool),
        wish=Wish(key="tone_transfer-darker"),
        task=FIXED,
    )
    judged = judge(pair, EmbeddedExperts(Path("/nowhere")), filters=chain(FIXED, smallest_px=work.settings.size))
    source, after = (_facts(one) for one in (pixels, target))
    record = EditTriplet(
        uid=short_hash(source.sha256, after.sha256),
        task=FIXED,
        source=source,
        target=after,
        instruction_en="Darker.",
        instruction_cn="更暗。",
        mask=encode_mask(pair.changed),
        provenance=Provenance(
            sources=(), licences=(), permissive=True, recipe="fixed", pipeline_version="0", seed=0, attempt=attempt
        ),
        scores=judged.scores,
        decisions=judged.decisions,
    )
    return encode_triplet(record, reference=pixels, target=target)


def measure_fixed(options: argparse.Namespace) -> None:
    """The engine with one worker against a plain loop that does the same and writes the files; interleaved."""
    settings = settings_of(options, FIXED.value)
    work = FixedWork(settings=settings, files=tuple(photographs(Pool.open(options.pool), options.size)))
    ratios = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            plain = timed(lambda folder=Path(folder): plain_loop(work, options.count, folder))
            engine = engine_seconds(work, options.count, Path(folder) / "store", workers=1)
        ratios.append(plain / engine)
        print(f"plain loop {options.count / plain:.2f}/s, engine {options.count / engine:.2f}/s")
    print(f"engine / plain loop: {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")


def plain_loop(work: FixedWork, count: int, folder: Path) -> None:
    """Do it as a script would: one after the other, a file for each picture."""
    for attempt in range(count):
        one = fixed_work(work, attempt)
        (folder / f"{attempt}-reference.webp").write_bytes(one.reference)
        (folder / f"{attempt}-target.webp").write_bytes(one.target)
        (folder / f"{attempt}.json").write_text(one.record.model_dump_json())


class FirstOutcome(Watcher):
    """Notes when the first attempt was finished; what came before is the start of the processes."""

    at = 0.0

    def outcome(self, outcome: Outcome) -> None:  # noqa: ARG002 - the form of a watcher
        self.at = self.at or time.perf_counter()


def engine_seconds(hire: Any, count: int, folder: Path, *, workers: int) -> float:
    """Return what a run takes from its first outcome to the sealed manifest, as if it were of ``count`` attempts."""
    first = FirstOutcome()
    build(folder, settings=hire.settings, attempts=count, hire=hire, workers=workers, watcher=first)
    return (time.perf_counter() - first.at) * count / (count - 1)


def measure_workers(options: argparse.Namespace) -> None:
    """One worker against two over all tasks."""
    settings = settings_of(options, options.tasks)
    hire = Hire(pool=options.pool, settings=settings)
    with tempfile.TemporaryDirectory() as folder:
        one, two = (
            engine_seconds(hire, options.count, Path(folder) / str(workers), workers=workers) for workers in (1, 2)
        )
    print(f"1 worker {options.count / one:.2f}/s, 2 workers {options.count / two:.2f}/s: {one / two:.2f} times")


def measure_memory(options: argparse.Namespace) -> None:
    """The largest memory of run and worker at 128 pixels, for 1,000 and 20,000 attempts, each in a process of its own."""
    code = (
        "import resource; from pathlib import Path; from argparse import Namespace; import data_engine as bench\n"
        "if __name__ == '__main__':\n"
        "    print(bench.peak_gib({count}, Path({pool!r}), Path({folder!r})))"
    )
    for count in (1_000, 20_000):
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "peak.py"
            script.write_text(code.format(count=count, pool=str(options.pool), folder=f"{folder}/store"))
            environment = {"PYTHONPATH": str(Path(__file__).parent), "OMP_NUM_THREADS": "1"}
            said = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, env=environment)
        print(f"{count} attempts: {said.stdout.strip()}")


def peak_gib(count: int, pool: Path, folder: Path) -> str:
    """Make a store at 128 pixels and tell the largest memory of this process and of its worker."""
    settings = settings_of(argparse.Namespace(pool=pool, size=128), "subject-add,color_alter,tone_transfer")
    build(folder, settings=settings, attempts=count, hire=Hire(pool=pool, settings=settings), workers=1)
    own, worker = (
        resource.getrusage(who).ru_maxrss / (1 << 20) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return f"run {own:.2f} GiB, worker {worker:.2f} GiB"


def photographs(pool: Pool, size: int) -> Iterator[bytes]:
    """Yield photographs of a pool as JPEG files of one size."""
    for picture in pool.photos("train")[:40]:
        yield _jpeg(pool, picture, size)


def timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def _jpeg(pool: Pool, picture: Picture, size: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pool.image(picture)[..., :3])).resize((size, size)).save(
        file, "JPEG", quality=95
    )
    return file.getvalue()


def _facts(picture: np.ndarray) -> ImageFacts:
    height, width = picture.shape[:2]
    return ImageFacts(width=width, height=height, sha256=pixel_sha256(picture), phash=perceptual_hash(picture))


if __name__ == "__main__":
    main()
