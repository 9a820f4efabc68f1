"""The records of one edit are checked once and complain in one sentence."""

from pathlib import Path

import pytest
from PIL import Image

from step1x_edit.errors import RequestError
from step1x_edit.schema.edit import AdapterUse, EditParameters, EditRequest, EditResult, ResolvedSettings

SETTINGS = ResolvedSettings(
    release="nano",
    seed=3,
    steps=4,
    guidance_scale=2.5,
    size_level=64,
    width=64,
    height=48,
    negative_instruction="",
    adapters=(AdapterUse(path=Path("a.safetensors"), scale=0.5),),
    device="cpu",
    dtype="float32",
    threads=1,
    package_version="0.1.0",
    torch_version="2.13.0",
)


def test_a_text_is_taken_as_a_path_and_settings_stay_open():
    request = EditRequest(reference="photo.jpg", instruction="make it night")  # pyright: ignore[reportArgumentType]
    assert request.reference == Path("photo.jpg")
    assert request.steps is None
    assert request.preset == "balanced"


@pytest.mark.parametrize("reference", [b"\x89PNG", Image.new("RGB", (4, 4))])
def test_bytes_and_pictures_are_taken_as_they_are(reference):
    assert EditRequest(reference=reference, instruction="x").reference is reference


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"instruction": "  \n"}, "an empty instruction"),
        ({"steps": 0}, "steps 0"),
        ({"steps": 1001}, "steps 1001"),
        ({"guidance_scale": 0.5}, "guidance_scale 0.5"),
        ({"guidance_scale": float("nan")}, "guidance_scale nan"),
        ({"images_per_instruction": 17}, "images_per_instruction 17"),
        ({"width": 64}, "only one of width and height"),
        ({"width": 64, "height": 64, "size_level": 64}, "a size level beside width and height"),
        ({"height": 15, "width": 64}, "height 15"),
        ({"preset": "slow"}, "'fast', 'balanced' or 'best'"),
        ({"colour": "red"}, "the unknown name 'colour'"),
        ({"instruction": "x" * 4001}, "at most 4000 characters"),
        ({"reference": 3}, "a path, the bytes of a picture file, or a PIL image"),
    ],
)
def test_a_bad_value_is_one_sentence_of_a_request_error(fields, words):
    with pytest.raises(RequestError, match=words) as caught:
        EditRequest(**{"reference": "a.png", "instruction": "x", **fields})
    assert "\n" not in str(caught.value)


def test_an_empty_instruction_passes_when_told():
    request = EditRequest(reference=b"", instruction="", allow_empty_instruction=True)
    assert request.instruction == ""


def test_a_request_cannot_be_changed():
    request = EditRequest(reference=b"", instruction="x")
    with pytest.raises(ValueError, match="frozen"):
        request.seed = 3  # pyright: ignore[reportAttributeAccessIssue]


def test_parameters_survive_the_way_through_json():
    result = EditResult(
        images=(Image.new("RGB", (4, 4)),) * 2,
        instruction="把天空变成夜晚",
        reference_path=Path("photo.jpg"),
        reference_sha256="ab",
        settings=SETTINGS,
        seconds=1.0,
    )
    parameters = result.parameters(1)
    assert EditParameters.model_validate_json(parameters.model_dump_json()) == parameters
    assert (parameters.image_index, parameters.instruction, parameters.settings) == (1, "把天空变成夜晚", SETTINGS)
