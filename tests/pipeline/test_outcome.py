"""Results are written whole, lossless, in the reference's size, with their recipe, and never over another file."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from strange_pictures import encoded, gradient

from step1x_edit.errors import RequestError, ShapeError
from step1x_edit.pipeline.intake import read_reference
from step1x_edit.pipeline.outcome import (
    attach_alpha,
    encode_picture,
    read_parameters,
    save_picture,
    save_result,
    write_atomically,
)
from step1x_edit.schema.edit import AdapterUse, EditParameters, EditResult, ResolvedSettings

SETTINGS = ResolvedSettings(
    release="nano",
    seed=7,
    steps=4,
    guidance_scale=2.5,
    size_level=64,
    width=64,
    height=48,
    negative_instruction="模糊",
    adapters=(AdapterUse(path=Path("style.safetensors"), scale=0.5),),
    device="cpu",
    dtype="float32",
    threads=1,
    package_version="0.1.0",
    torch_version="2.13.0",
)
PARAMETERS = EditParameters(
    instruction='把 "OPEN" 改成 “关闭” 🌙',
    reference_path=Path("photos/cat.jpg"),
    reference_sha256="c0ffee",
    settings=SETTINGS,
)


def transparent() -> Image.Image:
    picture = gradient()
    picture.putalpha(picture.getchannel("G"))
    return picture


@pytest.mark.parametrize("suffix", [".png", ".webp", ".jpg", ".JPEG"])
def test_parameters_come_back_from_every_format(tmp_path, suffix):
    path = tmp_path / f"result{suffix}"
    save_picture(gradient(), path, PARAMETERS)
    assert read_parameters(path) == PARAMETERS


@pytest.mark.parametrize("suffix", [".png", ".webp"])
@pytest.mark.parametrize("picture", [gradient(17, 31), transparent()])
def test_png_and_webp_keep_every_pixel(tmp_path, suffix, picture):
    path = tmp_path / f"result{suffix}"
    save_picture(picture, path, PARAMETERS)
    with Image.open(path) as written:
        assert written.mode == picture.mode
        assert (np.asarray(written) == np.asarray(picture)).all()


def test_jpeg_has_quality_95_full_colour_and_lies_on_white(tmp_path):
    path = tmp_path / "result.jpg"
    clear = Image.new("RGBA", (32, 32), (0, 0, 0, 0))
    save_picture(clear, path, PARAMETERS)
    with Image.open(path) as written:
        assert written.getpixel((16, 16)) == (255, 255, 255)
        with Image.open(encoded_file(tmp_path)) as by_pillow:
            assert written.quantization == by_pillow.quantization
        assert {layer[1:3] for layer in written.layer} == {(1, 1)}


def encoded_file(folder: Path) -> Path:
    path = folder / "by_pillow.jpg"
    path.write_bytes(encoded(gradient(), "JPEG", quality=95))
    return path


def test_alpha_of_the_reference_is_copied_through():
    reference = read_reference(encoded(transparent(), "PNG"))
    target = attach_alpha(Image.new("RGB", (40, 24), "red"), reference)
    assert target.mode == "RGBA"
    assert (np.asarray(target.getchannel("A")) == np.asarray(transparent().getchannel("A"))).all()


def test_a_target_of_another_size_is_never_passed_on():
    with pytest.raises(ShapeError, match="40 x 24"):
        attach_alpha(Image.new("RGB", (48, 32)), read_reference(gradient()))


def test_nothing_of_the_place_a_photo_was_taken_reaches_the_result(tmp_path):
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (52.0, 31.0, 12.0)}
    reference = read_reference(encoded(gradient(), "JPEG", exif=exif))
    for suffix in (".png", ".webp", ".jpg"):
        path = tmp_path / f"result{suffix}"
        save_picture(attach_alpha(reference.rgb, reference), path, PARAMETERS)
        with Image.open(path) as written:
            assert not written.getexif().get_ifd(0x8825)


def test_an_existing_file_is_left_alone_unless_asked(tmp_path):
    path = tmp_path / "mine.png"
    path.write_bytes(b"precious")
    with pytest.raises(RequestError, match="exists already"):
        save_picture(gradient(), path, PARAMETERS)
    assert path.read_bytes() == b"precious"
    save_picture(gradient(), path, PARAMETERS, overwrite=True)
    assert read_parameters(path) == PARAMETERS


def test_a_failed_write_leaves_neither_a_half_file_nor_a_temporary_one(tmp_path):
    folder = tmp_path / "name.png"
    folder.mkdir()
    with pytest.raises(RequestError, match="cannot be written"):
        write_atomically(folder, b"data", overwrite=True)
    assert list(tmp_path.iterdir()) == [folder]
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RequestError, match="cannot be written"):
        write_atomically(tmp_path / "file" / "below.png", b"data", overwrite=False)


def test_missing_folders_are_made_and_files_are_readable_like_others(tmp_path):
    path, plain = tmp_path / "new" / "folder" / "a.png", tmp_path / "plain"
    save_picture(gradient(), path, PARAMETERS)
    plain.write_bytes(b"")
    assert path.stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize("name", ["result", "result.gif", "result.tiff"])
def test_other_endings_are_refused(tmp_path, name):
    with pytest.raises(RequestError, match=r"\.png, \.webp"):
        save_picture(gradient(), tmp_path / name, PARAMETERS)


def test_a_webp_that_cannot_hold_the_size_is_refused(tmp_path):
    with pytest.raises(RequestError, match="Write a PNG"):
        save_picture(Image.new("RGB", (16384, 16)), tmp_path / "wide.webp", PARAMETERS)
    assert not list(tmp_path.iterdir())


def test_several_pictures_are_numbered_and_say_which_they_are(tmp_path):
    result = EditResult(
        images=(gradient(), gradient()),
        instruction="x",
        reference_path=None,
        reference_sha256="ab",
        settings=SETTINGS,
        seconds=0.1,
    )
    paths = save_result(result, tmp_path / "night.png")
    assert [path.name for path in paths] == ["night-1.png", "night-2.png"]
    assert [read_parameters(path).image_index for path in paths] == [0, 1]
    with pytest.raises(RequestError, match="exists already"):
        save_result(result, tmp_path / "night.png")


def test_a_picture_without_parameters_is_told_from_a_missing_file(tmp_path):
    for kind in ("PNG", "JPEG", "WEBP"):
        (tmp_path / "plain").write_bytes(encoded(gradient(), kind))
        with pytest.raises(RequestError, match="without parameters"):
            read_parameters(tmp_path / "plain")
    with pytest.raises(RequestError, match="does not exist"):
        read_parameters(tmp_path / "missing.png")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(RequestError, match="no readable"):
        read_parameters(tmp_path / "text.png")


def test_parameters_of_another_version_are_refused(tmp_path):
    path = tmp_path / "later.png"
    later = json.loads(PARAMETERS.model_dump_json()) | {"mask": "a.png"}
    path.write_bytes(encode_picture(gradient(), "PNG", json.dumps(later)))
    with pytest.raises(RequestError, match="another version"):
        read_parameters(path)
