"""The data engine: attempts per second by recipe, the cold pass, the engine against a plain loop, one worker against two.

Run by hand on a quiet machine, over a pool that was built before and whose mattes are cached::

    .venv/bin/python benchmarks/data_engine.py recipes --pool POOL --size 512
    .venv/bin/python benchmarks/data_engine.py cold PICTURES
    .venv/bin/python benchmarks/data_engine.py fixed --pool POOL
    .venv/bin/python benchmarks/data_engine.py workers --pool POOL
    .venv/bin/python benchmarks/data_engine.py memory --pool POOL --count 20000
    .venv/bin/python benchmarks/data_engine.py kills --pool POOL --size 256 --count 2000
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from data_engine_fixed import FIXED, FixedWork, photographs, plain_loop
from data_engine_kills import kill_builds
from machine import describe_machine

from step1x_edit.data_engine.pool import Pool, default_pool_folder
from step1x_edit.data_engine.run import Outcome, RunSettings, Watcher, build
from step1x_edit.data_engine.run.asked_tasks import parse_tasks
from step1x_edit.data_engine.run.crew import SURROUNDINGS
from step1x_edit.data_engine.run.hire import Hire, fingerprint, parts_at_hand
from step1x_edit.data_engine.sources.ingest import ingest
from step1x_edit.data_engine.sources.opening import open_source
from step1x_edit.data_engine.sources.workers import ExpertPass
from step1x_edit.experts.embedded import EmbeddedExperts
from step1x_edit.schema.triplet import Rejection


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("recipes", "cold", "fixed", "workers", "memory", "kills"))
    parser.add_argument("pictures", nargs="?", help="for cold: a folder of pictures")
    parser.add_argument("--pool", type=Path, default=default_pool_folder())
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--tasks", default="all")
    options = parser.parse_args()
    if SURROUNDINGS.items() - os.environ.items() and options.what != "fixed":
        # What is measured in this process shall find what a worker finds.
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **SURROUNDINGS})
    print(describe_machine(), flush=True)
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
    """Attempts with everything that belongs to them, in this process, a task at a time; photographed ones apart."""
    for share in parse_tasks(options.tasks):
        settings = settings_of(options, share.task.value)
        make = Hire(pool=options.pool, settings=settings)()
        for attempt in range(-(-options.count // 20)):
            make(options.count + attempt)  # Models are loaded and caches are warm.
        kinds: dict[str, list[tuple[float, bool]]] = {}
        for attempt in range(options.count):
            began = time.perf_counter()
            outcome = make(attempt)
            seconds = time.perf_counter() - began
            kinds.setdefault(kind_of(outcome), []).append((seconds, not isinstance(outcome, Rejection)))
        for kind, made in sorted(kinds.items()):
            rate = len(made) / sum(seconds for seconds, _ in made)
            kept = statistics.mean(one for _, one in made)
            print(
                f"{share.task.value:16s} {kind:12s} {len(made):4d} attempts, {rate:6.2f}/s, {kept:4.0%} kept",
                flush=True,
            )


def kind_of(outcome: Outcome) -> str:
    """Tell attempts on a photograph emptied of its subject from composed ones, by the stages they came to."""
    record = outcome if isinstance(outcome, Rejection) else outcome.record
    refused = isinstance(record, Rejection) and record.stage in ("matte", "inpaint")
    inpainted = any(one.stage == "inpaint" for one in record.provenance.stages)
    return "photographed" if refused or inpainted else "composed"


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


def measure_kills(options: argparse.Namespace) -> None:
    """Twenty kills of a build at random moments."""
    kill_builds(options.pool, tasks=options.tasks, size=options.size, count=options.count)


def measure_fixed(options: argparse.Namespace) -> None:
    """The engine with one worker against a plain loop that does the same and writes the files; interleaved."""
    settings = settings_of(options, FIXED.value)
    work = FixedWork(settings=settings, files=tuple(photographs(Pool.open(options.pool), options.size)))
    ratios = []
    for _ in range(5):
        with tempfile.TemporaryDirectory() as folder:
            plain = timed(lambda folder=Path(folder): plain_loop(work, options.count, folder))
            engine = engine_seconds(work, options.count, Path(folder) / "store", workers=1)
        ratios.append(plain / engine)
        print(f"plain loop {options.count / plain:.2f}/s, engine {options.count / engine:.2f}/s")
    print(f"engine / plain loop: {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")


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


class Peaks(Watcher):
    """Notes the largest memory of run and worker after some attempts."""

    def __init__(self, *after: int) -> None:
        self.after = after
        self.heard = 0

    def outcome(self, outcome: Outcome) -> None:  # noqa: ARG002 - the form of a watcher
        self.heard += 1
        if self.heard in self.after:
            workers = max(peak_gib(one.pid) for one in multiprocessing.active_children())
            print(
                f"{self.heard:6d} attempts: run {peak_gib(os.getpid()):.2f} GiB, worker {workers:.2f} GiB", flush=True
            )


def peak_gib(process: int | None) -> float:
    """Return the largest memory a process has had so far."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / (1 << 20)


def measure_memory(options: argparse.Namespace) -> None:
    """The largest memory of a run and its worker at 128 pixels after 1,000, 5,000 and ``--count`` attempts."""
    settings = settings_of(options, "subject-add,color_alter,tone_transfer", size=128)
    hire = Hire(pool=options.pool, settings=settings)
    with tempfile.TemporaryDirectory() as folder:
        watcher = Peaks(1_000, 5_000, options.count)
        build(Path(folder) / "store", settings=settings, attempts=options.count, hire=hire, watcher=watcher)


def timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
