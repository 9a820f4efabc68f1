"""What is not a whole safetensors file is refused by content, in one sentence, before anything is loaded."""

import json
import pickle

import pytest
import torch
from safetensors.torch import save_file

from step1x_edit.errors import CheckpointError, MissingRelease
from step1x_edit.models.checkpoint import inspect_checkpoint, load_transformer
from step1x_edit.models.checkpoint.safetensors_header import read_header

pytestmark = pytest.mark.fast


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file({"img_in.weight": torch.arange(64.0), "img_in.bias": torch.ones(8)}, path)
    return path


def refused(path) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_transformer(path, release="v1.0")
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    with pytest.raises(CheckpointError):
        inspect_checkpoint(path)
    return message


class _WouldRun:
    def __reduce__(self):
        return pytest.fail, ("a pickle was opened",)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_pickle_renamed_to_safetensors_is_refused_unopened(tmp_path, protocol):
    path = tmp_path / "model.safetensors"
    path.write_bytes(pickle.dumps(_WouldRun(), protocol=protocol))
    assert "pickle" in refused(path)


def test_a_torch_archive_is_refused_whatever_its_name(tmp_path):
    for name in ("model.safetensors", "model.ckpt", "model.bin"):
        torch.save({"img_in.weight": torch.zeros(2)}, tmp_path / name)
        assert "zip archive" in refused(tmp_path / name)


def test_a_git_lfs_pointer_and_a_web_page_are_named(tmp_path):
    for text, word in (("version https://git-lfs.github.com/spec/v1\n", "Git LFS"), ("<html>not found", "web page")):
        path = tmp_path / "model.safetensors"
        path.write_text(text)
        assert word in refused(path)


@pytest.mark.parametrize("kept", [0, 4, 40, 200, -1])
def test_a_truncated_file_says_that_bytes_are_missing(file, kept):
    content = file.read_bytes()
    file.write_bytes(content[:kept])
    assert "not a whole safetensors file" in refused(file)


def test_bytes_after_the_last_tensor_are_refused(file):
    file.write_bytes(file.read_bytes() + b"more")
    assert "describes" in refused(file)


@pytest.mark.parametrize(
    "header",
    [
        b"not json at all",
        b"[1, 2]",
        b'{"a": 3}',
        b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 7]}}',
        b'{"a": {"dtype": "F3", "shape": [2], "data_offsets": [0, 8]}}',
        b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},'
        b' "b": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}}',
        b'{"a": {"dtype": "F32", "shape": ["x"], "data_offsets": [0, 8]}}',
    ],
)
def test_a_corrupt_header_is_refused(tmp_path, header):
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 8)
    refused(path)


def test_a_header_of_absurd_length_is_not_read(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"\xff" * 64)
    assert "length" in refused(path)


def test_a_missing_file_and_an_empty_folder_say_how_to_get_weights(tmp_path):
    for path in (tmp_path / "nowhere.safetensors", tmp_path):
        with pytest.raises(MissingRelease, match="step1x fetch"):
            load_transformer(path, release="v1.0")


def test_another_model_s_weights_are_refused(file):
    assert "neither" in refused_by_names(file)


def refused_by_names(path) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_transformer(path, release="v1.0")
    return str(caught.value)


def test_the_header_lists_names_types_and_metadata_without_loading(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.zeros(2, 3, dtype=torch.bfloat16)}, path, metadata={"release": "v1.1"})
    header = read_header(path)
    assert header.metadata["release"] == "v1.1"
    assert (header.tensors["a"].dtype, header.tensors["a"].shape) == ("BF16", (2, 3))


def test_a_corrupt_config_beside_the_weights_is_named(tmp_path):
    save_file({"transformer_blocks.0.a": torch.zeros(2)}, tmp_path / "diffusion_pytorch_model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"a": 1})[:-1])
    with pytest.raises(CheckpointError, match=r"config\.json"):
        load_transformer(tmp_path, release="v1.1")
