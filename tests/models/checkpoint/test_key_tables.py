"""Our networks at real size have exactly the published names and shapes."""

import json
from pathlib import Path

import pytest
import torch
from vector_weights import TINY

from step1x_edit.models.checkpoint.entries import entries
from step1x_edit.models.checkpoint.layout import expected_shapes
from step1x_edit.models.checkpoint.loading import PUBLISHED_VAE, empty_transformer, empty_vae, transformer_entries
from step1x_edit.models.checkpoint.tables import vae_rules

VECTORS = Path(__file__).parents[2] / "vectors"
pytestmark = pytest.mark.fast


def published(name: str, part: str = "transformer") -> dict[str, tuple[int, ...]]:
    table = json.loads((VECTORS / f"keys-{name}.json").read_text())
    return {key: tuple(shape) for key, shape in table[part].items()}


def shapes_of(network: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def test_our_transformer_has_the_names_and_shapes_of_the_v1_1_folder():
    assert shapes_of(empty_transformer({"out_channels": 64})) == published("diffusers-v1.1")


def test_our_transformer_has_the_names_and_shapes_of_the_v1_2_folder():
    assert shapes_of(empty_transformer({"enable_text_token_mapping": True})) == published("diffusers-v1.2")


def test_the_key_table_leads_from_our_transformer_to_the_official_v1_0_file():
    table = transformer_entries(empty_transformer({}))
    assert expected_shapes(table, "official", scale_factor=True) == published("official-v1.0")
    assert len(expected_shapes(table, "official", scale_factor=False)) == 816


def test_our_vae_has_the_names_and_shapes_of_both_published_forms():
    shapes = shapes_of(empty_vae(PUBLISHED_VAE))
    assert shapes == published("diffusers-v1.1", "vae")
    table = entries(vae_rules(4), shapes)
    assert expected_shapes(table, "official", scale_factor=False) == published("official-v1.0", "vae")


def test_joining_undoes_splitting_for_every_tensor_of_the_key_table():
    for entry in transformer_entries(empty_transformer(TINY)):
        official = torch.randn(entry.official_shape)
        parts = entry.split(official)
        assert tuple(tuple(part.shape) for part in parts) == entry.shapes
        assert torch.equal(entry.join(parts), official)


def test_only_the_final_layer_swaps_its_row_halves():
    (entry,) = [
        entry
        for entry in transformer_entries(empty_transformer({"num_layers": 1, "num_single_layers": 1}))
        if entry.form == "swapped" and entry.official.endswith("bias")
    ]
    assert entry.official == "final_layer.adaLN_modulation.1.bias"
    (ours,) = entry.split(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    assert ours.tolist() == [3.0, 4.0, 1.0, 2.0]
