"""Fetching from a hub, finding what was fetched, and checking it byte by byte."""

import pytest
import torch
from loopback_hub import loopback_hub
from safetensors.torch import save

from step1x_edit.errors import CheckpointError, MissingRelease
from step1x_edit.pipeline.fetching import fetch, plan_fetch, require_sound, verify
from step1x_edit.pipeline.weights import is_present, locate
from step1x_edit.presets.releases import find_release

V1_0, V1_1 = find_release("v1.0"), find_release("v1.1")


def weights(size: int) -> bytes:
    return save({"a": torch.zeros(size)})


def published() -> dict[str, dict[str, bytes]]:
    index = b'{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}'
    mllm = {
        "config.json": b"{}",
        "tokenizer_config.json": b"{}",
        "model.safetensors.index.json": index,
        "model-1.safetensors": weights(4),
        "model-2.safetensors": weights(5),
        "pytorch_model.bin": b"a pickle nobody wants",
    }
    part = {"config.json": b"{}", "diffusion_pytorch_model.safetensors": weights(7)}
    folder = {"model_index.json": b"{}", "processor/tokenizer_config.json": b"{}", "assets/picture.png": b"png"}
    for name in ("transformer", "vae", "text_encoder"):
        folder |= {f"{name}/{file}": content for file, content in part.items()}
    single = {V1_0.files["transformer"]: weights(3), V1_0.files["vae"]: weights(2), "README.md": b"read me"}
    return {V1_0.repository: single, V1_0.mllm_repository: mllm, V1_1.repository: folder}


@pytest.fixture(scope="module")
def hub():
    with loopback_hub(published()) as address:
        yield address


def fetched(release, hub, cache):
    return fetch(plan_fetch(release, cache=cache, endpoint=hub), cache=cache, endpoint=hub)


def test_the_plan_states_every_file_that_is_needed_and_no_other(hub, tmp_path):
    plan = plan_fetch(V1_0, cache=tmp_path, endpoint=hub)
    names = {file.name for file in plan.files}
    assert {"step1x-edit-i1258.safetensors", "vae.safetensors", "model-2.safetensors"} <= names
    assert not names & {"README.md", "pytorch_model.bin"}
    assert plan.size == sum(file.size for file in plan.files) and plan.cached == 0
    assert all(len(file.checksum) in (40, 64) for file in plan.files)


def test_what_was_fetched_is_found_part_by_part(hub, tmp_path):
    for release, transformer, processor in (
        (V1_0, "step1x-edit-i1258.safetensors", "text_encoder"),
        (V1_1, "transformer", "processor"),
    ):
        assert not is_present(release, cache=tmp_path)
        fetched(release, hub, tmp_path)
        assert is_present(release, cache=tmp_path)
        places = locate(release, cache=tmp_path)
        assert places.transformer.name == transformer and places.transformer.exists()
        assert places.processor == (places.text_encoder if processor == "text_encoder" else places.processor)
        assert (places.processor / "tokenizer_config.json").is_file()
        plan = plan_fetch(release, cache=tmp_path, endpoint=hub)
        assert plan.cached == plan.size


def test_a_sound_release_passes_and_every_byte_is_read(hub, tmp_path):
    fetched(V1_0, hub, tmp_path)
    read = []
    checks = list(verify(V1_0, cache=tmp_path, advance=read.append))
    assert not [check for check in checks if check.problem]
    assert sum(read) == sum(check.size for check in checks)


def test_a_flipped_bit_a_cut_file_and_a_lost_shard_are_each_named(hub, tmp_path):
    fetched(V1_0, hub, tmp_path)
    places = locate(V1_0, cache=tmp_path)
    content = bytearray(places.vae.read_bytes())
    content[-1] ^= 1
    places.vae.resolve().write_bytes(content)
    places.transformer.resolve().write_bytes(places.transformer.read_bytes()[:-2])
    (places.text_encoder / "model-2.safetensors").unlink()
    problems = {check.path.name: check.problem for check in verify(V1_0, cache=tmp_path) if check.problem}
    assert problems.keys() == {"vae.safetensors", "step1x-edit-i1258.safetensors", "weights"}
    assert "checksum" in problems["vae.safetensors"]
    assert not is_present(V1_0, cache=tmp_path)
    with pytest.raises(CheckpointError, match="2 more broken files"):
        require_sound(verify(V1_0, cache=tmp_path), remedy="Fetch it again.")


def test_a_folder_copied_by_hand_has_its_headers_checked(tmp_path):
    (tmp_path / "step1x-edit-i1258.safetensors").write_bytes(weights(3))
    (tmp_path / "vae.safetensors").write_bytes(weights(3)[:-1])
    problems = [check.path.name for check in verify(V1_0, weights=tmp_path) if check.problem]
    assert problems == ["vae.safetensors"]


def test_without_a_hub_one_sentence_says_so(tmp_path):
    with loopback_hub({}) as address:
        pass
    with pytest.raises(MissingRelease, match="Check the network"):
        plan_fetch(V1_0, cache=tmp_path, endpoint=address)


def test_a_release_that_is_not_here_names_the_command_that_fetches_it(tmp_path):
    with pytest.raises(MissingRelease, match=r"step1x fetch v1\.0"):
        locate(V1_0, cache=tmp_path)
    with pytest.raises(MissingRelease, match=r"step1x fetch v1\.1"):
        next(verify(V1_1, cache=tmp_path))


def test_a_named_folder_is_used_and_its_gaps_come_from_the_cache(hub, tmp_path):
    fetched(V1_0, hub, tmp_path / "cache")
    own = tmp_path / "own.safetensors"
    own.write_bytes(weights(3))
    places = locate(V1_0, own, cache=tmp_path / "cache")
    assert places.transformer == own and places.vae.name == "vae.safetensors"
    with pytest.raises(MissingRelease, match="exists"):
        locate(V1_0, tmp_path / "nowhere", cache=tmp_path / "cache")


def test_the_embedded_release_is_not_fetched():
    with pytest.raises(MissingRelease, match="embedded"):
        plan_fetch(find_release("nano"))
