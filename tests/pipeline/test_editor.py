"""``Editor``: the object a Python user holds."""

import io

import numpy as np
import pytest
from PIL import Image
from tiny import tiny_pipeline

import step1x_edit
from step1x_edit import Editor, EditRequest
from step1x_edit.errors import MissingRelease, RequestError
from step1x_edit.pipeline.editor import Interrupted

QUICK = {"size_level": 48, "steps": 2, "seed": 5}


@pytest.fixture(scope="module")
def editor():
    return Editor(tiny_pipeline("v1.1"))


def picture(width=50, height=37, mode="RGB"):
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 4), dtype=np.uint8)
    return Image.fromarray(noise).convert(mode)


def test_the_exported_names_are_these():
    assert set(step1x_edit.__all__) == {
        "EditRequest",
        "EditResult",
        "Editor",
        "Step1XEditPipeline",
        "Step1XEditProcessor",
        "Step1XEditTransformer2DModel",
        "__version__",
    }
    assert all(hasattr(step1x_edit, name) for name in step1x_edit.__all__)


def test_a_path_its_bytes_and_the_picture_give_the_same_edit(editor, tmp_path):
    picture().save(tmp_path / "cat.png")
    given = [tmp_path / "cat.png", str(tmp_path / "cat.png"), (tmp_path / "cat.png").read_bytes(), picture()]
    results = [editor.edit(reference, "make it red", **QUICK).image for reference in given]
    assert all(np.array_equal(result, results[0]) for result in results)
    assert results[0].size == (50, 37)


def test_a_result_tells_everything_that_decided_it_and_can_be_made_again(editor):
    first = editor.edit(picture(), "make it red", size_level=48, steps=2)
    settings = first.settings
    assert (settings.release, settings.steps, settings.guidance_scale) == ("v1.1", 2, 6.0)
    assert (settings.width, settings.height) == (64, 48) and settings.dtype == "float32"
    again = editor.edit(picture(), "make it red", size_level=48, steps=2, seed=settings.seed)
    assert np.array_equal(first.image, again.image)


def test_transparency_is_carried_through(editor):
    result = editor.edit(picture(mode="RGBA"), "make it red", **QUICK).image
    assert result.mode == "RGBA"
    assert np.array_equal(result.getchannel("A"), picture(mode="RGBA").getchannel("A"))


def test_several_pictures_differ(editor):
    result = editor.edit(picture(), "make it red", images_per_instruction=2, **QUICK)
    assert len(result.images) == 2 and not np.array_equal(*result.images)


def test_progress_is_told_and_a_stop_is_heeded_within_a_step(editor):
    told = []
    editor.edit(picture(), "make it red", on_step=lambda done, steps: told.append((done, steps)), **QUICK)
    assert told == [(1, 2), (2, 2)]
    with pytest.raises(Interrupted):
        editor.edit(picture(), "x", on_step=lambda done, _: told.append(done), should_stop=lambda: True, **QUICK)
    assert told[2:] == [1]


def test_an_explicit_working_size_is_kept(editor):
    result = editor.edit(picture(), "make it red", width=64, height=48, steps=1)
    assert (result.settings.width, result.settings.height, result.settings.size_level) == (64, 48, None)
    assert result.image.size == (50, 37)


def test_what_cannot_be_edited_is_refused_with_a_sentence(editor):
    blank = io.BytesIO()
    picture(16, 4000).save(blank, "PNG")
    for reference, settings, words in [
        ("nowhere.png", {}, "nowhere.png"),
        (b"no picture", {}, "picture"),
        (picture(), {"release": "v1.2"}, "v1.2 to an editor of v1.1"),
        (picture(), {"width": 64}, "height"),
        (blank.getvalue(), {}, "250 times longer than wide"),
    ]:
        with pytest.raises(RequestError, match=words):
            editor.edit(reference, "make it red", **settings)
    with pytest.raises(RequestError):
        editor.edit(picture(), " ")
    with pytest.raises(RequestError):
        EditRequest(reference=picture(), instruction="x", steps=0)


def test_a_release_that_is_not_here_is_named():
    with pytest.raises(MissingRelease, match=r"v9"):
        Editor.from_release("v9")
