"""The cold pass: every file is in the pool or refused with its reason, whatever happens on the way."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import pytest
from source_files import (
    DEADLY,
    RedFinder,
    bad_files,
    call_it_a_disc,
    encoded,
    good_files,
    photograph,
    red_disc,
    write_files,
)

from step1x_edit.data_engine.pool import MANIFEST, PIXELS, Pool, is_pool
from step1x_edit.data_engine.sources.assembly import REJECTIONS
from step1x_edit.data_engine.sources.digest import Limits
from step1x_edit.data_engine.sources.ingest import Ingested, ingest
from step1x_edit.data_engine.sources.near_duplicates import look_alikes
from step1x_edit.data_engine.sources.offers import Candidate, Known, Offer
from step1x_edit.data_engine.sources.opening import open_source
from step1x_edit.data_engine.sources.shelf import WORK, Shelf
from step1x_edit.data_engine.sources.splitting import Facts, split_of, trained_pictures
from step1x_edit.data_engine.sources.workers import ExpertPass
from step1x_edit.errors import DataError, RequestError
from step1x_edit.schema.triplet import Rejection
from step1x_edit.store.lock import locked

LIMITS = Limits(short_side=96)


def files(folder: Path) -> tuple[bytes, bytes, bytes]:
    return (folder / MANIFEST).read_bytes(), (folder / PIXELS).read_bytes(), (folder / REJECTIONS).read_bytes()


def rejections(folder: Path) -> list[Rejection]:
    lines = (folder / REJECTIONS).read_text(encoding="utf-8").splitlines()
    return [Rejection.model_validate_json(line) for line in lines]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good and bad files in one folder, two of them the same file."""
    folder = tmp_path_factory.mktemp("mixed")
    write_files(folder, good_files())
    write_files(folder, {name: content for name, (content, _) in bad_files().items()})
    return write_files(folder, {"z copy.png": good_files()["a photograph.png"]})


@pytest.fixture(scope="module")
def passed(mixed: Path, tmp_path_factory: pytest.TempPathFactory) -> Ingested:
    """The folder's pool, made by one worker."""
    return ingest(open_source(str(mixed)), tmp_path_factory.mktemp("pool"), limits=LIMITS)


def test_every_file_is_in_the_pool_or_refused(passed: Ingested) -> None:
    assert passed.offered == len(good_files()) + len(bad_files()) + 1
    assert passed.files == len(good_files())
    assert passed.rejected == passed.offered - passed.files == len(rejections(passed.folder))


def test_every_bad_file_says_why_it_was_refused(passed: Ingested) -> None:
    reasons = {one.reason.partition(": ")[0]: one for one in rejections(passed.folder)}
    for name, (_, words) in bad_files().items():
        assert words in reasons[name].reason
        assert reasons[name].task is None
        assert reasons[name].stage == "reading"
    assert "same file as a photograph.png" in reasons["z copy.png"].reason


def test_pictures_come_upright_in_eight_bits_at_the_chosen_size(passed: Ingested) -> None:
    pool = Pool.open(passed.folder)
    shapes = {one.uri: (one.height, one.width, one.channels) for one in pool.pictures}
    assert shapes["deep/er/turned.jpg"] == (128, 96, 3)
    assert shapes["a photograph.png"] == (96, 128, 3)
    assert shapes["sixteen.png"] == (80, 80, 3)
    assert shapes["cutout.png"][2] == 4
    assert {one.kind for one in pool.pictures if one.uri != "cutout.png"} == {"photo"}


def test_the_pool_is_the_same_for_any_order_and_number_of_workers(
    mixed: Path, passed: Ingested, tmp_path: Path
) -> None:
    backwards = reversed(list(open_source(str(mixed))))
    ingest(backwards, tmp_path, limits=LIMITS, workers=2)
    assert files(tmp_path) == files(passed.folder)


def test_a_second_run_decodes_nothing_and_a_pool_can_be_a_source(
    mixed: Path, passed: Ingested, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(passed.folder)
    monkeypatch.setattr(Shelf, "clear", lambda _: None)
    ingest(open_source(str(mixed)), passed.folder, limits=LIMITS)
    assert files(passed.folder) == before
    assert not list((passed.folder / WORK).rglob("*.npz"))
    ingest(open_source(str(passed.folder)), tmp_path, limits=LIMITS)
    assert files(tmp_path)[:2] == before[:2]


SLOW_PASS = """
import sys, time
from pathlib import Path
from step1x_edit.data_engine.sources.digest import Limits
from step1x_edit.data_engine.sources.ingest import ingest
from step1x_edit.data_engine.sources.opening import open_source

def slowly(offers):
    for offer in offers:
        time.sleep(0.05)
        yield offer

if __name__ == "__main__":
    ingest(slowly(open_source(sys.argv[1])), Path(sys.argv[2]), limits=Limits(short_side=96))
"""


def test_a_pass_that_was_killed_goes_on_and_decodes_no_finished_picture_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_files(tmp_path / "in", {f"{number:02}.png": encoded(photograph(number)) for number in range(16)})
    script = tmp_path / "slow_pass.py"
    script.write_text(SLOW_PASS, encoding="utf-8")
    command = [sys.executable, str(script), str(source), str(tmp_path / "out")]
    process = subprocess.Popen(command)
    while len(list((tmp_path / "out" / WORK).rglob("*.npz"))) < 3 and process.poll() is None:
        time.sleep(0.02)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    assert not psutil.wait_procs(children, timeout=60)[1], "workers end with the process that started them"
    finished = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / WORK).rglob("*.npz")}
    assert 3 <= len(finished) < 16
    assert not is_pool(tmp_path / "out")
    with monkeypatch.context() as patched:
        patched.setattr(Shelf, "clear", lambda _: None)
        ingest(open_source(str(source)), tmp_path / "out", limits=LIMITS)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    ingest(open_source(str(source)), tmp_path / "calm", limits=LIMITS)
    assert files(tmp_path / "out") == files(tmp_path / "calm")


LABELS = {"a cat.png": "cat"}


@pytest.fixture(scope="module")
def with_experts(tmp_path_factory: pytest.TempPathFactory) -> Ingested:
    """Two photographs with a disc, two without, one of them named, and one that ends the process that looks at it."""
    deadly = photograph(20)
    deadly.putpixel((0, 0), DEADLY)
    pictures = {
        "whole.png": red_disc(21),
        "cut.png": red_disc(22, left=130),
        "none.png": photograph(23),
        "a cat.png": photograph(24),
    }
    offers = [*pictures.items(), ("deadly.png", deadly)]
    folder = tmp_path_factory.mktemp("experts")
    experts = ExpertPass(experts=RedFinder, cache=folder / "mattes", version="1", naming=call_it_a_disc)
    return ingest(
        [
            Candidate(uri=uri, data=encoded(one), known=Known(dataset="drawn", licence="MIT", label=LABELS.get(uri)))
            for uri, one in offers
        ],
        folder,
        limits=Limits(short_side=768),
        expert_pass=experts,
    )


def test_mattes_find_subjects_whole_subjects_and_scenes(with_experts: Ingested) -> None:
    pool = Pool.open(with_experts.folder)
    kinds = sorted((one.uri, one.kind, one.scene, one.label) for one in pool.pictures)
    assert kinds == [
        ("a cat.png", "photo", False, "cat"),
        ("cut.png", "photo", False, None),
        ("cut.png", "subject", False, "red disc"),
        ("none.png", "photo", True, None),
        ("whole.png", "cutout", False, "red disc"),
        ("whole.png", "photo", False, None),
        ("whole.png", "subject", False, "red disc"),
    ]
    assert all(one.permissive and one.licence == "MIT" for one in pool.pictures)
    assert len(list((with_experts.folder / "mattes").glob("*.png"))) == 4


def test_a_file_that_ends_its_process_is_refused_alone(with_experts: Ingested) -> None:
    (refused,) = rejections(with_experts.folder)
    assert refused.reason == "deadly.png: Reading it ended the process that did."


def test_files_none_of_which_can_be_used_are_one_clear_error(tmp_path: Path) -> None:
    write_files(tmp_path / "in", {"a.jpg": b"no picture"})
    with pytest.raises(DataError, match="none of which can be used"):
        ingest(open_source(str(tmp_path / "in")), tmp_path / "out")
    assert len(rejections(tmp_path / "out")) == 1


def test_a_folder_that_cannot_be_written_or_is_being_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(RequestError, match="cannot be written"):
        ingest(iter(()), tmp_path / "file" / "pool")
    with locked(tmp_path / "pool"), pytest.raises(RequestError, match="another process is writing"):
        ingest(iter(()), tmp_path / "pool")


FULL_DISK = """
import resource, sys
from pathlib import Path
from step1x_edit.data_engine.sources.ingest import ingest
from step1x_edit.data_engine.sources.opening import open_source
from step1x_edit.errors import DataError, RequestError

if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
    try:
        ingest(open_source(sys.argv[1]), Path(sys.argv[2]))
    except DataError as error:
        print(error)
"""


def test_a_disk_without_room_is_one_clear_error_and_the_run_goes_on_later(tmp_path: Path) -> None:
    # A limit on the length of files fails a write as a full disk does.
    source = write_files(tmp_path / "in", {f"{number}.png": encoded(photograph(number)) for number in range(3)})
    (tmp_path / "full_disk.py").write_text(FULL_DISK, encoding="utf-8")
    command = [sys.executable, str(tmp_path / "full_disk.py"), str(source), str(tmp_path / "out")]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "cannot be written" in told
    assert "finished pictures are kept" in told
    assert ingest(open_source(str(source)), tmp_path / "out").files == 3


def test_a_source_is_read_only_as_fast_as_it_is_worked_on(tmp_path: Path) -> None:
    ahead: list[int] = []
    done: list[int] = []

    def offers() -> Iterator[Offer]:
        for number in range(30):
            done.append(len(list((tmp_path / WORK).rglob("*.npz"))))
            ahead.append(number - done[-1])
            yield Candidate(uri=str(number), data=encoded(photograph(number)), known=Known(dataset="drawn"))

    ingest(offers(), tmp_path, limits=LIMITS)
    assert max(ahead) <= 5


def test_look_alikes_are_found_directly_and_through_others() -> None:
    near, nearer, far = "0000000000000000", "000000000000003f", "ffffffff00000000"
    chain = "0000000000000fff"  # six bits from `nearer`, twelve from `near`
    assert look_alikes([near, far, chain, nearer, far]).tolist() == [0, 1, 0, 0, 1]
    rng = np.random.default_rng(3)
    hashes = [f"{int(value):016x}" for value in rng.integers(0, 2**63, 400)]
    copies = [f"{int(text, 16) ^ (1 << int(rng.integers(60))) ^ (1 << 61):016x}" for text in hashes]
    groups = look_alikes(hashes + copies)
    assert (groups[:400] == groups[400:]).all()
    assert len(set(groups.tolist())) > 390


def facts(digest: str, phash: str, label: str | None = None) -> Facts:
    return Facts(sha256=digest * 64, phash=phash, kind="cutout" if label else "photo", label=label)


def test_whole_groups_are_held_out_and_no_label_is_lost_to_training() -> None:
    # By its own hash "0..." is held out (0 of 100) and "1..." is not (0x11111111 % 100 = 41).
    alike = [facts("0", "0" * 16), facts("1", "0" * 15 + "1")]
    assert split_of(alike, percent=8) == ["train", "train"]
    assert split_of([facts("0", "0" * 16), facts("1", "f" * 16)], percent=8) == ["held_out", "train"]
    assert split_of([facts("0", "0" * 16, "boat")], percent=8) == ["train"]
    boats = [facts("0", "0" * 16, "boat"), facts("1", "f" * 16, "boat")]
    assert split_of(boats, percent=8) == ["held_out", "train"]


def test_a_picture_nano_was_trained_on_is_never_held_out() -> None:
    trained = Facts(sha256=f"{min(trained_pictures())}{'0' * 48}", phash="0" * 16, kind="photo", label=None)
    assert len(trained_pictures()) > 400
    assert split_of([trained, facts("0", "f" * 16)], percent=100) == ["train", "held_out"]


def test_the_manifest_is_lines_of_records_with_storage(passed: Ingested) -> None:
    records = [json.loads(line) for line in (passed.folder / MANIFEST).read_text(encoding="utf-8").splitlines()]
    assert [one["sha256"] for one in records] == sorted(one["sha256"] for one in records)
    assert records[0]["offset"] == 0
    for one, after in pairwise(records):
        assert one["offset"] + one["height"] * one["width"] * one["channels"] == after["offset"]
