"""Runs: what comes out does not depend on workers, kills, crashes or the order in which attempts finish."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from scripted_makers import SETTINGS, Scripted

from step1x_edit.data_engine.run import Limits, RunSettings, Watcher, build
from step1x_edit.data_engine.run.asked_tasks import parse_tasks
from step1x_edit.data_engine.run.settings import shard_attempts
from step1x_edit.errors import DataError, MissingExtra, RequestError
from step1x_edit.schema.tasks import EditTask
from step1x_edit.store import Manifest, locked, read_index, read_rejections, read_store_info, read_triplets
from step1x_edit.store.shard import triplets_path

pytest.importorskip("pyarrow", reason="needs the extra `data`")

ATTEMPTS = 24
QUICK = Limits(seconds=1.0)


SINGLE = SETTINGS.model_copy(update={"near_duplicates": False})


def made(
    folder: Path,
    *,
    attempts: int = ATTEMPTS,
    workers: int = 1,
    limits: Limits | None = None,
    settings: RunSettings = SETTINGS,
    **script,
) -> Manifest:
    hire = Scripted(**script)
    return build(folder, settings=settings, attempts=attempts, hire=hire, workers=workers, limits=limits)


@pytest.fixture(scope="module")
def calm(tmp_path_factory) -> Manifest:
    """The manifest of a run that nothing disturbs."""
    return made(tmp_path_factory.mktemp("calm") / "store")


def test_the_number_of_workers_does_not_change_what_comes_out(calm, tmp_path):
    assert made(tmp_path / "store", workers=2) == calm


def test_attempts_are_triplets_plus_rejections(calm, tmp_path):
    made(tmp_path)
    attempts = [one.record.provenance.attempt for one in read_triplets(tmp_path)]
    attempts += [one.provenance.attempt for one in read_rejections(tmp_path)]
    assert sorted(attempts) == list(range(ATTEMPTS))
    assert calm.attempts == ATTEMPTS


def test_finished_shards_are_not_touched(calm, tmp_path):
    made(tmp_path)
    gone = triplets_path(tmp_path, 5, "train")
    gone.unlink()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*-*.parquet")}
    assert made(tmp_path) == calm
    assert gone.is_file()
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_more_attempts_go_on_with_the_same_store(calm, tmp_path):
    made(tmp_path, attempts=10)
    assert made(tmp_path, attempts=ATTEMPTS).hash == calm.hash


def test_an_attempt_that_ends_its_process_is_rejected_alone(calm, tmp_path):
    manifest = made(tmp_path, workers=2, dies=frozenset({7, 8}))
    deaths = [one for one in read_rejections(tmp_path) if one.stage == "death"]
    assert [one.provenance.attempt for one in deaths] == [7, 8]
    assert "signal 9" in deaths[0].reason
    assert (manifest.attempts, sum(manifest.kept.values())) == (ATTEMPTS, sum(calm.kept.values()) - 2)


def test_a_worker_that_is_killed_from_outside_costs_nothing(calm, tmp_path):
    (tmp_path / "marks").mkdir()
    assert made(tmp_path / "store", dies_once=frozenset({3}), marks=tmp_path / "marks") == calm


def test_a_time_out_is_made_again_and_does_not_change_the_hash(calm, tmp_path):
    (tmp_path / "marks").mkdir()
    once = {"hangs_once": frozenset({4}), "marks": tmp_path / "marks"}
    assert made(tmp_path / "store", limits=QUICK, workers=2, **once) == calm


def test_a_lasting_time_out_is_a_rejection_to_be_retried(calm, tmp_path):
    manifest = made(tmp_path, limits=QUICK, hangs=frozenset({4}))
    late = [one for one in read_rejections(tmp_path) if one.retry]
    assert [one.provenance.attempt for one in late] == [4]
    assert manifest.retries == 1
    assert made(tmp_path) == calm


def test_a_triplet_made_twice_stays_with_the_first_attempt(tmp_path):
    manifests = [made(tmp_path / str(n), workers=n, doubles=frozenset({2, 18})) for n in (1, 2)]
    assert manifests[0] == manifests[1]
    doubled = [one for one in read_rejections(tmp_path / "1") if one.stage == "duplicate"]
    assert [one.provenance.attempt for one in doubled] == [2, 18]
    assert manifests[0].attempts == ATTEMPTS


def stages_of(folder: Path) -> dict[int, str]:
    return {one.provenance.attempt: one.stage for one in read_rejections(folder) if one.stage != "matte"}


def test_a_triplet_that_only_looks_like_another_stays_where_that_is_wished(tmp_path):
    alike = frozenset({3, 17})
    made(tmp_path / "kept", alike=alike)
    single = [made(tmp_path / str(n), workers=n, settings=SINGLE, alike=alike) for n in (1, 2)]
    assert stages_of(tmp_path / "kept") == {}
    assert stages_of(tmp_path / "1") == {3: "duplicate", 17: "duplicate"}
    assert single[0] == single[1]
    assert read_index_attempts(tmp_path / "1").isdisjoint(alike)


def test_likeness_is_told_the_same_when_a_time_out_is_made_later(tmp_path):
    alike = {"alike": frozenset({3, 17}), "settings": SINGLE}
    calm = made(tmp_path / "calm", **alike)
    made(tmp_path / "late", limits=QUICK, hangs=frozenset({1}), **alike)
    assert stages_of(tmp_path / "late") == {1: "time"}
    assert made(tmp_path / "late", **alike) == calm


def test_likeness_is_told_the_same_in_a_store_that_grew(tmp_path):
    alike = {"alike": frozenset({3, 17}), "settings": SINGLE}
    made(tmp_path / "grown", attempts=10, **alike)
    assert made(tmp_path / "grown", **alike).hash == made(tmp_path / "calm", **alike).hash


def read_index_attempts(folder: Path) -> set[int]:
    return {row["provenance"]["attempt"] for row in read_index(folder, ["provenance.attempt"])}


def test_a_missing_part_ends_the_run_with_its_sentence(tmp_path):
    with pytest.raises(MissingExtra, match="step1x data setup"):
        made(tmp_path, lacks_a_part=frozenset({11}))


def test_a_second_writer_is_refused(tmp_path):
    with locked(tmp_path), pytest.raises(RequestError, match="another process is writing"):
        made(tmp_path)


def test_a_watcher_hears_of_every_attempt_once(tmp_path):
    class Counting(Watcher):
        heard = 0

        def outcome(self, outcome):
            self.heard += 1

    watcher = Counting()
    build(tmp_path, settings=SETTINGS, attempts=10, hire=Scripted(), watcher=watcher)
    assert watcher.heard == 10


RUN = """
from pathlib import Path
import sys
from scripted_makers import SETTINGS, Scripted
from step1x_edit.data_engine.run import build
if __name__ == "__main__":
    build(Path(sys.argv[1]), settings=SETTINGS, attempts={attempts}, hire=Scripted(seconds={seconds}), workers=2)
"""


def started(folder: Path, *, seconds: float, **options) -> subprocess.Popen:
    script = folder.with_suffix(".py")
    script.write_text(RUN.format(attempts=ATTEMPTS, seconds=seconds))
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    return subprocess.Popen(
        [sys.executable, str(script), str(folder)], env=os.environ | {"PYTHONPATH": paths}, **options
    )


def test_runs_killed_at_any_moment_end_in_the_hash_of_a_calm_one(calm, tmp_path):
    folder, chance = tmp_path / "store", random.Random(0)
    for _ in range(2):
        run = started(folder, seconds=0.3)
        deadline, wanted = time.monotonic() + 60, len(list(folder.glob("triplets/*.parquet"))) + 2
        while len(list(folder.glob("triplets/*.parquet"))) < wanted and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(chance.random() / 2)
        run.kill()
        assert run.wait() == -signal.SIGKILL
        assert 0 < read_store_info(folder).attempts < ATTEMPTS
    assert made(folder) == calm


def test_workers_leave_when_the_run_is_killed(tmp_path):
    folder = tmp_path / "store"
    run = started(folder, seconds=0.2)
    while not list(folder.glob("triplets/*.parquet")):
        time.sleep(0.05)
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children")
    if not children.exists():
        run.kill()
        pytest.skip("this system does not list the children of a process")
    below = [int(number) for number in children.read_text().split()]
    run.kill()
    run.wait()
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{number}").exists() for number in below) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert below and not any(Path(f"/proc/{number}").exists() for number in below)


def test_a_disk_without_room_is_one_sentence_and_keeps_what_is_finished(calm, tmp_path):
    import resource

    made(tmp_path, attempts=10)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        # A file may not grow beyond a shard's size: writing then fails as on a full disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, limits[1]))
        with pytest.raises(DataError, match="no room left"):
            made(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert read_store_info(tmp_path).attempts == 10
    assert not list(tmp_path.rglob("*.part"))
    assert made(tmp_path).hash == calm.hash


def test_tasks_take_turns_by_weight_whatever_the_count():
    settings = RunSettings(tasks=parse_tasks("subject-add:3,color_alter"), size=64, seed=0)
    tasks = [settings.task(attempt) for attempt in range(400)]
    assert abs(tasks.count(EditTask.SUBJECT_ADDITION) - 300) <= 3


@pytest.mark.parametrize("text", ["cat-add", "subject-add,subject-add", "subject-add:0", "subject-add:x", "ps_human"])
def test_tasks_that_cannot_be_made_are_refused(text):
    with pytest.raises(RequestError):
        parse_tasks(text)


def test_a_killed_run_loses_a_hundredth_or_four_attempts_at_most():
    assert all(shard_attempts(count) <= max(4, count / 100 + 1) for count in (1, 50, 1000, 20_000, 1_000_000))
