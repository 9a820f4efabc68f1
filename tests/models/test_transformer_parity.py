"""The transformer equals the released code at every stage (tolerance 5e-6, tiny random weights)."""

import pytest
import torch
from torch.testing import assert_close

TOLERANCE = {"rtol": 0, "atol": 5e-6}

SHARED_STAGES = {
    "connector_t_embedder": "connector.S.t_embedder",
    "connector_c_embedder": "connector.S.c_embedder",
    "connector_input_embedder": "connector.S.input_embedder",
    "connector_block.0": "connector.S.individual_token_refiner.blocks.0",
    "connector_block.1": "connector.S.individual_token_refiner.blocks.1",
}
OFFICIAL_STAGES = SHARED_STAGES | {
    "img_in": "x_embedder",
    "txt_in": "context_embedder",
    "time_in": "time_embed",
    "vector_in": "vec_embed",
}
DIFFUSERS_STAGES = SHARED_STAGES | {
    name: name for name in ("x_embedder", "context_embedder", "time_proj", "time_embed", "vec_embed", "norm_out")
}
ARGUMENTS = {
    "hidden_states": "in.img",
    "encoder_hidden_states": "in.llm_embedding",
    "prompt_embeds_mask": "in.mask",
    "timestep": "in.timesteps",
}


def run(model, values, **more):
    """Return the velocity of all image tokens, and what each module gave on the way."""
    seen = {}
    handles = [
        module.register_forward_hook(lambda _module, _args, output, name=name: seen.update({name: output}))
        for name, module in model.named_modules()
    ]
    inputs = {argument: values[name] for argument, name in ARGUMENTS.items()}
    with torch.no_grad():
        velocity = model(**inputs, **more).sample
    for handle in handles:
        handle.remove()
    return velocity, seen


def rotation(table):
    """Cosines and sines, each repeated for a pair, from the released code's rotation matrices."""
    return table[..., 0, 0].repeat_interleave(2, -1), table[..., 1, 0].repeat_interleave(2, -1)


@pytest.mark.parametrize("case", ["official_tiny_b1", "official_tiny_b2"])
def test_v1_0_equals_the_released_code_at_every_stage(vector, vector_transformer, case):
    values, model = vector(f"{case}.safetensors"), vector_transformer("v1.0")
    velocity, seen = run(model, values, img_ids=values["in.img_ids"], txt_ids=values["in.txt_ids"])
    for stage, module in OFFICIAL_STAGES.items():
        assert_close(
            seen[module], values[f"out.{stage}"], **TOLERANCE, msg=lambda text, stage=stage: f"{stage}: {text}"
        )
    context, vector_ = seen["connector"]
    assert_close(context, values["out.connector.txt"], **TOLERANCE)
    assert_close(vector_, values["out.connector.global"], **TOLERANCE)
    assert_close(seen["time_embed"] + seen["vec_embed"], values["out.vec"], **TOLERANCE)
    cosines, sines = rotation(values["out.pe"][0, 0])
    assert_close(seen["pos_embed"][0], cosines, **TOLERANCE)
    assert_close(seen["pos_embed"][1], sines, **TOLERANCE)
    for index in range(2):
        context, image = seen[f"transformer_blocks.{index}"]
        assert_close(image, values[f"out.double_block.{index}.img"], **TOLERANCE)
        assert_close(context, values[f"out.double_block.{index}.txt"], **TOLERANCE)
        together = torch.cat(seen[f"single_transformer_blocks.{index}"], dim=1)
        assert_close(together, values[f"out.single_block.{index}"], **TOLERANCE)
    assert_close(velocity, values["out.prediction"], **TOLERANCE)


def assert_diffusers_stages(values, velocity, seen):
    for stage, module in DIFFUSERS_STAGES.items():
        assert_close(
            seen[module], values[f"out.{stage}"], **TOLERANCE, msg=lambda text, stage=stage: f"{stage}: {text}"
        )
    context, vector_ = seen["connector"]
    assert_close(context, values["out.connector.txt"], **TOLERANCE)
    assert_close(vector_, values["out.connector.global"], **TOLERANCE)
    assert_close(seen["time_embed"] + seen["vec_embed"], values["out.temb"], **TOLERANCE)
    assert_close(seen["pos_embed"][0], values["out.pos_embed.cos"], **TOLERANCE)
    assert_close(seen["pos_embed"][1], values["out.pos_embed.sin"], **TOLERANCE)
    for kind in ("transformer_block", "single_transformer_block"):
        for index in range(2):
            context, image = seen[f"{kind}s.{index}"]
            assert_close(image, values[f"out.{kind}.{index}.img"], **TOLERANCE)
            assert_close(context, values[f"out.{kind}.{index}.txt"], **TOLERANCE)
    assert_close(velocity, values["out.prediction"], **TOLERANCE)


def test_v1_1_equals_the_diffusers_branch_at_every_stage(vector, vector_transformer):
    values = vector("fork_v1p1_official_tiny_b1.safetensors")
    ids = {"img_ids": values["in.img_ids_2d"], "txt_ids": values["in.txt_ids_2d"]}
    assert_diffusers_stages(values, *run(vector_transformer("v1.1"), values, **ids))


def test_v1_1_equals_the_diffusers_branch_with_its_pipelines_reference_ids(vector, vector_transformer):
    values = vector("fork_v1p1_official_tiny_b1.safetensors")
    ids = {"img_ids": values["in.img_ids_2d_pipeline"], "txt_ids": values["in.txt_ids_2d"]}
    velocity, _ = run(vector_transformer("v1.1"), values, **ids)
    assert_close(velocity, values["out_pipeline_ids.prediction"], **TOLERANCE)


def test_v1_1_equals_the_official_code_without_scale_factor(vector, vector_transformer):
    values = vector("fork_v1p1_official_tiny_b1.safetensors")
    velocity, _ = run(vector_transformer("v1.1"), values, img_ids=values["in.img_ids"], txt_ids=values["in.txt_ids"])
    assert_close(velocity, values["official_scale_factor0.prediction"], **TOLERANCE)


def v1_2_arguments(values):
    return {
        "img_ids": values["in.img_ids_2d"],
        "txt_ids": values["in.txt_ids_2d"],
        "text_embeddings": values["in.text_embeddings"],
        "text_mask": values["in.text_mask"],
    }


def test_v1_2_equals_the_diffusers_branch_at_every_stage(vector, vector_transformer):
    values = vector("fork_v1p2_official_tiny_b1.safetensors")
    velocity, seen = run(vector_transformer("v1.2"), values, **v1_2_arguments(values))
    assert_close(seen["text_token_mapping"], values["out.text_token_mapping"], **TOLERANCE)
    assert_diffusers_stages(values, velocity, seen)


def test_v1_2_equals_the_diffusers_branch_without_text_mapping(vector, vector_transformer):
    values = vector("fork_v1p2_official_tiny_b1.safetensors")
    expected = values["out_without_text_token_mapping.prediction"]
    without = {name: value for name, value in v1_2_arguments(values).items() if not name.startswith("text_")}
    assert_close(run(vector_transformer("v1.2"), values, **without)[0], expected, **TOLERANCE)
    assert_close(run(vector_transformer("v1.1"), values, **v1_2_arguments(values))[0], expected, **TOLERANCE)
