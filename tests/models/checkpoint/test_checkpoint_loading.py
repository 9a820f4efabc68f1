"""Published layouts become networks, and only when every tensor fits."""

import json

import pytest
import torch
import vector_weights
from safetensors.torch import save_file
from vector_weights import TINY, TINY_VAE

from step1x_edit.errors import CheckpointError, MissingRelease
from step1x_edit.models.checkpoint import load_transformer, load_vae


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    path = tmp_path_factory.mktemp("official") / "v1.0.safetensors"
    save_file(vector_weights.official_tiny(), path)
    return path


@pytest.fixture(scope="module")
def v1_1(tmp_path_factory):
    path = tmp_path_factory.mktemp("v1.1") / "v1.1.safetensors"
    save_file(vector_weights.fork_v1p1(), path)
    return path


@pytest.fixture(scope="module")
def v1_2(tmp_path_factory):
    path = tmp_path_factory.mktemp("v1.2") / "v1.2.safetensors"
    save_file(vector_weights.fork_v1p2(), path)
    return path


def altered(path, target, **changes):
    weights = vector_weights.official_tiny()
    for name, tensor in changes.items():
        if tensor is None:
            weights.pop(name)
        else:
            weights[name] = tensor
    save_file(weights, target / path)
    return target / path


def test_the_official_file_loads_with_its_scale_factor_folded_into_the_global_vector_alone(official):
    network = load_transformer(official, release="v1.0", config=TINY)
    weights = vector_weights.official_tiny()
    assert torch.allclose(
        network.connector.global_proj_out.weight, weights["connector.global_proj_out.weight"] * (1 - 0.91), atol=1e-7
    )
    embedder = network.connector.S.c_embedder.linear_1.weight
    assert torch.equal(embedder, weights["connector.S.c_embedder.linear_1.weight"])
    assert network.config.release == "v1.0" and network.config.conventions["reference_axis"] == 0
    assert not network.training


def test_diffusers_names_load_bit_for_bit(v1_1, v1_2):
    for path, release, weights in (
        (v1_1, "v1.1", vector_weights.fork_v1p1()),
        (v1_2, "v1.2", vector_weights.fork_v1p2()),
        (v1_2, "v1.2-preview", vector_weights.fork_v1p2()),
    ):
        state = load_transformer(path, release=release, config=TINY).state_dict()
        assert state.keys() == weights.keys()
        assert all(torch.equal(state[name], weights[name]) for name in state)


def test_a_saved_folder_loads_without_naming_sizes_whether_sharded_or_whole(official, tmp_path):
    network = load_transformer(official, release="v1.0", config=TINY)
    for name, shard in (("whole", "10GB"), ("shards", "600KB")):
        network.save_pretrained(tmp_path / name / "transformer", max_shard_size=shard)
        again = load_transformer(tmp_path / name, release="v1.0")
        assert all(
            torch.equal(ours, theirs)
            for ours, theirs in zip(again.state_dict().values(), network.state_dict().values(), strict=True)
        )
    assert len(list((tmp_path / "shards/transformer").glob("*.safetensors"))) > 2


def test_a_missing_shard_is_named(official, tmp_path):
    load_transformer(official, release="v1.0", config=TINY).save_pretrained(tmp_path, max_shard_size="600KB")
    shard = sorted(tmp_path.glob("*.safetensors"))[1]
    shard.unlink()
    with pytest.raises(CheckpointError, match=shard.name):
        load_transformer(tmp_path, release="v1.0")


def test_an_index_that_disagrees_with_its_shards_is_refused(official, tmp_path):
    load_transformer(official, release="v1.0", config=TINY).save_pretrained(tmp_path, max_shard_size="600KB")
    (index,) = tmp_path.glob("*.index.json")
    table = json.loads(index.read_text())
    table["weight_map"]["a.stranger"] = next(iter(table["weight_map"].values()))
    index.write_text(json.dumps(table))
    with pytest.raises(CheckpointError, match=r"a\.stranger"):
        load_transformer(tmp_path, release="v1.0")


def test_a_program_s_prefix_is_taken_off(tmp_path):
    weights = {f"model.diffusion_model.{name}": tensor for name, tensor in vector_weights.official_tiny().items()}
    save_file(weights, tmp_path / "prefixed.safetensors")
    load_transformer(tmp_path / "prefixed.safetensors", release="v1.0", config=TINY)


def test_the_asked_type_is_the_loaded_type(official):
    assert load_transformer(official, release="v1.0", config=TINY, dtype=torch.bfloat16).dtype == torch.bfloat16


def test_the_vae_loads_from_official_names_and_from_its_saved_folder(tmp_path):
    path = tmp_path / "vae.safetensors"
    weights = vector_weights.vae_official_tiny()
    save_file(weights, path)
    vae = load_vae(path, config=TINY_VAE, dtype=torch.float32)
    attention = weights["encoder.mid.attn_1.proj_out.weight"].float().squeeze()
    assert torch.equal(vae.encoder.mid_block.attentions[0].to_out[0].weight, attention)
    vae.save_pretrained(tmp_path / "release" / "vae")
    assert load_vae(tmp_path / "release").config.block_out_channels == [32, 64, 128, 128]


def test_a_file_of_another_release_is_refused(official, v1_1, v1_2):
    with pytest.raises(CheckpointError, match="scale_factor"):
        load_transformer(official, release="v1.1", config=TINY)
    with pytest.raises(CheckpointError, match="scale_factor"):
        load_transformer(v1_1, release="v1.0", config=TINY)
    with pytest.raises(CheckpointError, match="text_token_mapping"):
        load_transformer(v1_2, release="v1.1", config=TINY)
    with pytest.raises(CheckpointError, match="2 missing: text_token_mapping"):
        load_transformer(v1_1, release="v1.2", config=TINY)


def test_a_recorded_release_cannot_be_loaded_as_another(v1_1, tmp_path):
    load_transformer(v1_1, release="v1.1", config=TINY).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"recorded release v1\.1"):
        load_transformer(tmp_path, release="v1.0")


def test_missing_extra_and_misshaped_tensors_are_listed_together(tmp_path):
    changes = {
        "img_in.bias": None,
        "img_in.extra": torch.zeros(1),
        "single_blocks.0.linear2.weight": torch.zeros(3, 3),
    }
    path = altered("odd.safetensors", tmp_path, **changes)
    with pytest.raises(CheckpointError) as caught:
        load_transformer(path, release="v1.0", config=TINY)
    message = str(caught.value)
    assert "1 missing: img_in.bias" in message and "1 extra: img_in.extra" in message
    assert "1 misshaped: single_blocks.0.linear2.weight [3, 3] instead of [64, 320]" in message


def test_a_network_of_other_sizes_is_refused_with_a_short_list(official):
    with pytest.raises(CheckpointError, match=r"missing: .*, and \d+ more"):
        load_transformer(official, release="v1.0")


def test_a_whole_config_json_may_be_given_as_the_config(official, v1_1, tmp_path):
    load_transformer(official, release="v1.0", config=TINY).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert load_transformer(official, release="v1.0", config=config).config.num_layers == 2
    with pytest.raises(CheckpointError, match=r"config of release v1\.0"):
        load_transformer(v1_1, release="v1.1", config=config)


def test_unknown_sizes_and_unknown_releases_are_refused(official):
    with pytest.raises(CheckpointError, match="hidden_size"):
        load_transformer(official, release="v1.0", config={"hidden_size": 64})
    with pytest.raises(MissingRelease, match=r"v9"):
        load_transformer(official, release="v9")


def test_a_vae_is_not_taken_for_a_transformer(tmp_path):
    save_file(vector_weights.vae_official_tiny(), tmp_path / "vae.safetensors")
    with pytest.raises(CheckpointError, match="a vae"):
        load_transformer(tmp_path / "vae.safetensors", release="v1.0")
