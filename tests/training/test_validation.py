"""The validation grid shows what inference will give, and leaves a run as it was."""

import copy

import numpy as np
import pytest
import torch
from PIL import Image

from step1x_edit.models.checkpoint import load_transformer, load_vae
from step1x_edit.pipeline.assembly import assemble, flow_scheduler, load_multimodal_llm, load_processor
from step1x_edit.pipeline.editor import Editor
from step1x_edit.pipeline.weights import locate
from step1x_edit.presets.releases import find_release
from step1x_edit.training.acceleration import accelerate_training, attention_put_back
from step1x_edit.training.config import LoraConfig, ModelConfig, RunConfig, ValidationCase, ValidationConfig
from step1x_edit.training.exports import export_adapter, export_weights
from step1x_edit.training.methods.full import train_parts
from step1x_edit.training.methods.lora import add_adapters
from step1x_edit.training.validation import PreviewPipeline, Validation, adapters_off, showing_adapter, showing_weights

INSTRUCTION = "make it night"
SETTINGS = {"seed": 3, "steps": 2}


@pytest.fixture(autouse=True)
def _attention_of_its_own():
    with attention_put_back():
        yield


@pytest.fixture
def photo(tmp_path):
    rows, columns = np.mgrid[0:64, 0:48]
    pixels = np.stack([rows * 4, columns * 5, rows + columns], axis=-1).astype(np.uint8)
    path = tmp_path / "photo.png"
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def pipeline() -> PreviewPipeline:
    places = locate(find_release("nano"))
    made = PreviewPipeline(
        text_encoder=load_multimodal_llm(places.text_encoder, dtype=torch.float32),
        processor=load_processor(places.processor),
        transformer=load_transformer(places.transformer, release="nano", dtype=torch.float32),
        vae=load_vae(places.vae, dtype=torch.float32),
        scheduler=flow_scheduler(),
    )
    made.set_progress_bar_config(disable=True)
    return made


def validation(pipeline, photo, tmp_path) -> Validation:
    settings = ValidationConfig(cases=(ValidationCase(image=photo, instruction=INSTRUCTION),), **SETTINGS)
    return Validation(Editor(pipeline), settings, folder=tmp_path / "validation")


def with_learned_adapter(transformer):
    """Adapters of the run, moved as steps would move them, with what training leaves on a network."""
    learning = add_adapters(transformer, LoraConfig(rank=4, alpha=2.0), train=("transformer",), seed=0)
    generator = torch.Generator().manual_seed(0)
    for _, weight in learning:
        weight.data += 0.1 * torch.randn(weight.shape, generator=generator)
    accelerate_training(transformer, RunConfig(steps=1, activation_checkpointing=0.5), tokens=160)
    transformer.train()
    return learning


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture).copy()


def test_the_grids_picture_is_what_the_editor_gives_with_the_exported_adapter_bit_for_bit(pipeline, photo, tmp_path):
    grid = validation(pipeline, photo, tmp_path)
    with_learned_adapter(pipeline.transformer)
    file, *_ = export_adapter(pipeline.transformer, tmp_path / "export")
    with torch.autocast("cpu", torch.bfloat16), showing_adapter(pipeline.transformer, file):
        page = grid.draw(7)
    later = Editor.from_release("nano", dtype="float32", adapters=[(file, 1.0)])
    expected = np.asarray(later.edit(photo, INSTRUCTION, **SETTINGS).image)
    assert np.array_equal(pixels(tmp_path / "validation/step-000007/case-1.png"), expected)
    assert page.path.is_file()


def test_the_base_picture_is_the_releases_own_bit_for_bit_though_an_adapter_has_learned(pipeline, photo, tmp_path):
    grid = validation(pipeline, photo, tmp_path)
    with_learned_adapter(pipeline.transformer)
    grid.draw_base()
    (made,) = (tmp_path / "validation").glob("base-*/case-1.png")
    expected = Editor.from_release("nano", dtype="float32").edit(photo, INSTRUCTION, **SETTINGS).image
    assert np.array_equal(pixels(made), np.asarray(expected))


def test_the_grid_of_full_training_is_what_the_editor_gives_with_the_exported_weights(pipeline, photo, tmp_path):
    grid = validation(pipeline, photo, tmp_path)
    learning = train_parts(pipeline.transformer, ModelConfig(base="fp32"))
    generator = torch.Generator().manual_seed(0)
    for _, weight in learning:
        weight.data += 0.01 * torch.randn(weight.shape, generator=generator)
    before = copy.deepcopy(pipeline.transformer.state_dict())
    export_weights(pipeline.transformer, tmp_path / "export", dtype=torch.bfloat16)
    with showing_weights(pipeline.transformer, exported=torch.bfloat16, computed=torch.float32):
        grid.draw(1)
    later = Editor.from_release("nano", dtype="float32", weights=tmp_path / "export")
    expected = np.asarray(later.edit(photo, INSTRUCTION, **SETTINGS).image)
    assert np.array_equal(pixels(tmp_path / "validation/step-000001/case-1.png"), expected)
    assert all(torch.equal(value, before[name]) for name, value in pipeline.transformer.state_dict().items())


def test_validation_leaves_weights_flags_modes_and_random_states_as_they_were(pipeline, photo, tmp_path):
    grid, transformer = validation(pipeline, photo, tmp_path), pipeline.transformer
    learning = with_learned_adapter(transformer)
    file, *_ = export_adapter(transformer, tmp_path / "export")
    flags = {name: weight.requires_grad for name, weight in transformer.named_parameters()}
    weights = {name: weight.detach().clone() for name, weight in transformer.named_parameters()}
    random = torch.get_rng_state()
    grid.draw_base()
    with showing_adapter(transformer, file):
        grid.draw(1)
    assert torch.equal(torch.get_rng_state(), random)
    assert transformer.training
    assert transformer.active_adapters() == ["default"]
    assert {name: weight.requires_grad for name, weight in transformer.named_parameters()} == flags
    assert all(torch.equal(weight, weights[name]) for name, weight in transformer.named_parameters())
    assert all(weight is dict(transformer.named_parameters())[name] for name, weight in learning)
    processor = next(iter(transformer.attn_processors.values()))
    assert processor._attention_backend is not None


def test_adapters_are_off_inside_and_on_again_afterwards(pipeline):
    with_learned_adapter(pipeline.transformer)
    layer = pipeline.transformer.transformer_blocks[0].attn.to_q
    hidden = torch.randn(1, 3, layer.in_features)
    with adapters_off(pipeline.transformer):
        assert torch.equal(layer(hidden), layer.base_layer(hidden))
    assert not torch.equal(layer(hidden), layer.base_layer(hidden))


def test_remembered_edits_need_no_language_model(pipeline, photo, tmp_path):
    grid = validation(pipeline, photo, tmp_path)
    expected = Editor(assemble(find_release("nano"), dtype=torch.float32)).edit(photo, INSTRUCTION, **SETTINGS).image
    for request in grid.requests():
        pipeline.remember(request)
    pipeline.forget_language_model()
    grid.draw_base()
    (made,) = (tmp_path / "validation").glob("base-*/case-1.png")
    assert np.array_equal(pixels(made), np.asarray(expected))


def test_a_suites_table_is_kept_beside_the_grid(pipeline, photo, tmp_path):
    settings = ValidationConfig(cases=(ValidationCase(image=photo, instruction=INSTRUCTION),), **SETTINGS)
    seen = []

    def suite(editor, folder):
        seen.append(editor)
        return f"gain 0.5 in {folder.name}"

    page = Validation(Editor(pipeline), settings, folder=tmp_path, suite=suite).draw(20)
    assert page.table == "gain 0.5 in step-000020-suite"
    assert (tmp_path / "step-000020.txt").read_text() == page.table
    assert len(seen) == 1
