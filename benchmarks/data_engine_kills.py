"""A build that is killed twenty times at random moments and gone on with, beside one that nothing disturbs."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from step1x_edit.store import read_manifest

__all__ = ["kill_builds"]

KILLS = 20
SHARE = 0.02
"""What a restart may cost of a run."""


def kill_builds(pool: Path, *, tasks: str, size: int, count: int) -> None:
    """Build once in peace and once with kills of the whole process group; compare hashes, and tell what a kill costs.

    A restart costs what the killed run needs more than the calm one, divided by the kills: the start of the processes,
    and the attempts of shards that were not finished.
    """
    with tempfile.TemporaryDirectory() as home:
        options = ["--tasks", tasks, "--size", str(size), "--count", str(count), "--workers", "2"]
        step1x = Path(sys.executable).with_name("step1x")
        command = [str(step1x), "data", "build", str(pool), *options, "--out"]
        start, calm = calm_seconds(command, Path(home) / "calm")
        kills, killed = killed_seconds(command, Path(home) / "killed", start=start, calm=calm)
        hashes = [read_manifest(Path(home) / name).hash for name in ("calm", "killed")]
    cost = (killed - calm) / kills
    print(f"{kills} kills: the manifest hash is {'the same' if hashes[0] == hashes[1] else 'ANOTHER'} ({hashes[1]})")
    print(f"calm run {calm:.0f} s, of which {start:.1f} s to the first shard; killed run {killed:.0f} s")
    print(
        f"a restart costs {cost:.1f} s: {cost / calm:.1%} of this run, {SHARE:.0%} of one of {cost / SHARE / 60:.1f} minutes"
    )


def calm_seconds(command: list[str], folder: Path) -> tuple[float, float]:
    """Return the seconds to the first shard and to the end."""
    began, start = time.perf_counter(), 0.0
    with started(command, folder) as run:
        while run.poll() is None:
            time.sleep(0.05)
            if not start and list(folder.glob("triplets/*.parquet")):
                start = time.perf_counter() - began
    assert run.returncode == 0, "the calm run failed"
    return start, time.perf_counter() - began


def killed_seconds(command: list[str], folder: Path, *, start: float, calm: float) -> tuple[int, float]:
    """Return the number of kills and the seconds of all pieces together."""
    chance, kills, began = random.Random(0), 0, time.perf_counter()
    while kills < KILLS:
        with started(command, folder) as run:
            try:
                code = run.wait(timeout=chance.uniform(0, start + 0.8 * (calm - start) / KILLS))
                assert code == 0, "a piece failed"
                break
            except subprocess.TimeoutExpired:
                os.killpg(run.pid, signal.SIGKILL)
                kills += 1
    with started(command, folder) as run:
        assert run.wait() == 0, "the last piece failed"
    return kills, time.perf_counter() - began


def started(command: list[str], folder: Path) -> subprocess.Popen[bytes]:
    """Start a build in a process group of its own."""
    silent = subprocess.DEVNULL
    return subprocess.Popen([*command, str(folder)], start_new_session=True, stdout=silent)
