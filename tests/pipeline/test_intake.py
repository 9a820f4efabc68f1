"""Image intake takes the pictures people have and refuses the rest in one sentence."""

import hashlib
import struct
import warnings

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin
from strange_pictures import encoded, gradient, huge_png, png_file, sixteen_bit_png, swapped_channels_profile

from step1x_edit.errors import RequestError
from step1x_edit.pipeline.intake import read_reference


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
def test_the_content_tells_the_format_whatever_the_suffix(tmp_path, kind):
    data = encoded(gradient(), kind, **({"lossless": True} if kind == "WEBP" else {"quality": 100, "subsampling": 0}))
    path = tmp_path / "photo.xyz"
    path.write_bytes(data)
    reference = read_reference(path)
    assert (reference.format, reference.width, reference.height) == (kind, 40, 24)
    assert (reference.path, reference.sha256) == (path, hashlib.sha256(data).hexdigest())
    assert np.abs(pixels(reference.rgb) - pixels(gradient())).max() <= (8 if kind == "JPEG" else 0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_to_colours_and_alpha(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = gradient()
    picture.putalpha(picture.getchannel("R"))
    reference = read_reference(encoded(picture, "PNG", exif=exif))
    expected = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    upright = gradient() if orientation == 1 else gradient().transpose(expected[orientation])
    assert (reference.width, reference.height) == upright.size
    assert (pixels(reference.rgb) == pixels(upright)).all()
    assert (pixels(reference.alpha) == pixels(upright.getchannel("R"))).all()


def test_a_damaged_exif_block_states_no_orientation():
    reference = read_reference(encoded(gradient(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\xff\xff"))
    assert (reference.width, reference.height) == (40, 24)


def test_an_icc_profile_is_converted_to_srgb():
    picture = Image.new("RGB", (20, 20), (250, 10, 30))
    reference = read_reference(encoded(picture, "PNG", icc_profile=swapped_channels_profile()))
    red, green, _ = reference.rgb.getpixel((5, 5))
    assert green > 200 > red


def test_a_picture_in_srgb_keeps_every_value():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    reference = read_reference(encoded(gradient(), "PNG", icc_profile=profile))
    assert (pixels(reference.rgb) == pixels(gradient())).all()
    assert not reference.rgb.info


@pytest.mark.parametrize("profile", [b"no profile at all" * 20, b"x"])
def test_a_damaged_profile_counts_as_srgb(profile):
    reference = read_reference(encoded(gradient(), "PNG", icc_profile=profile))
    assert (pixels(reference.rgb) == pixels(gradient())).all()


def test_a_colour_profile_on_a_grey_picture_is_harmless():
    grey = gradient().convert("L")
    reference = read_reference(encoded(grey, "PNG", icc_profile=swapped_channels_profile()))
    assert reference.rgb.size == grey.size


def test_a_cmyk_jpeg_becomes_rgb():
    reference = read_reference(encoded(Image.new("CMYK", (32, 32), (0, 255, 255, 0)), "JPEG", quality=95))
    red, green, blue = reference.rgb.getpixel((16, 16))
    assert red > 240 > 20 > max(green, blue)


@pytest.mark.parametrize(("colour_type", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_sixteen_bits_are_rounded_to_eight_not_cut(colour_type, channels):
    values = np.random.default_rng(0).integers(0, 65536, (20, 31, channels), dtype=np.uint16)
    reference = read_reference(sixteen_bit_png(values, colour_type))
    expected = np.round(values / 257).astype(int)
    colour = expected[..., : channels - 1] if channels in (2, 4) else expected
    assert (pixels(reference.rgb) == np.broadcast_to(colour, (20, 31, 3))).all()
    if channels in (2, 4):
        assert (pixels(reference.alpha) == expected[..., -1]).all()
    else:
        assert reference.alpha is None


@pytest.mark.parametrize(("colour_type", "key"), [(0, (300,)), (2, (300, 400, 500))])
def test_the_transparent_colour_of_a_sixteen_bit_png_is_exact(colour_type, key):
    values = np.full((16, 16, len(key)), 0, dtype=np.uint16)
    values[:] = key
    values[0, 0, 0] += 1
    reference = read_reference(sixteen_bit_png(values, colour_type, struct.pack(f">{len(key)}H", *key)))
    assert reference.alpha.getpixel((0, 0)) == 255
    assert (pixels(reference.alpha) == 0).sum() == 255


def test_a_palette_with_transparency_keeps_colours_and_alpha():
    picture = Image.new("P", (16, 16), 1)
    picture.putpalette([255, 0, 0, 0, 255, 0])
    picture.putpixel((3, 4), 0)
    reference = read_reference(encoded(picture, "PNG", transparency=bytes([255, 128])))
    assert reference.rgb.getpixel((3, 4)) == (255, 0, 0)
    assert reference.rgb.getpixel((0, 0)) == (0, 255, 0)
    assert (reference.alpha.getpixel((3, 4)), reference.alpha.getpixel((0, 0))) == (255, 128)


def test_a_palette_without_transparency_has_no_alpha():
    reference = read_reference(encoded(gradient().quantize(16), "PNG"))
    assert reference.alpha is None


@pytest.mark.parametrize("mode", ["1", "L"])
def test_grey_becomes_three_equal_channels(mode):
    reference = read_reference(encoded(gradient().convert(mode), "PNG"))
    assert (pixels(reference.rgb) == pixels(gradient().convert(mode).convert("RGB"))).all()


def test_grey_with_alpha_is_taken_apart():
    reference = read_reference(encoded(Image.new("LA", (17, 31), (90, 40)), "PNG"))
    assert (reference.width, reference.height) == (17, 31)
    assert reference.rgb.getpixel((8, 8)) == (90, 90, 90)
    assert reference.alpha.getpixel((8, 8)) == 40


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_colours_under_transparent_pixels_stay_as_stored(kind):
    picture = gradient()
    picture.putalpha(0)
    reference = read_reference(encoded(picture, kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {})))
    assert (pixels(reference.rgb) == pixels(gradient())).all()
    assert (pixels(reference.alpha) == 0).all()


def test_a_picture_in_memory_is_hashed_by_its_pixels_and_not_changed():
    picture = gradient()
    picture.info["note"] = "mine"
    first, second = read_reference(picture), read_reference(gradient())
    assert (first.format, first.path) == ("memory", None)
    assert first.sha256 == second.sha256 != read_reference(gradient(40, 25)).sha256
    assert picture.info == {"note": "mine"}


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_animations_are_refused(kind):
    frames = [gradient(), gradient().rotate(180)]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    with pytest.raises(RequestError, match="an animation of 2 frames"):
        read_reference(data)


def test_a_phone_jpeg_with_a_second_picture_behind_it_is_its_first_picture():
    data = encoded(gradient(), "MPO", save_all=True, append_images=[gradient(20, 20)])
    assert read_reference(data).rgb.size == (40, 24)


@pytest.mark.parametrize("size", [(16385, 16), (16, 16385), (15, 100), (8001, 8000), (60000, 60000)])
def test_sizes_out_of_range_are_refused_from_the_header_without_a_warning(size):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RequestError, match=f"{size[0]} x {size[1]} pixels"):
            read_reference(huge_png(*size))


def test_a_webp_header_is_checked_before_its_decoder_is_made():
    extended = b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(4) + (9999).to_bytes(3, "little") * 2
    with pytest.raises(RequestError, match="10000 x 10000 pixels"):
        read_reference(extended)


@pytest.mark.parametrize("options", [{"lossless": True}, {"lossless": False}, {"lossless": True, "exif": Image.Exif()}])
def test_the_three_webp_headers_are_understood(options):
    assert read_reference(encoded(gradient(33, 17), "WEBP", **options)).rgb.size == (33, 17)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("kept", [0.9, 0.5, 0.02])
def test_truncated_files_are_refused(kind, kept):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    data = encoded(noise, kind)
    with pytest.raises(RequestError, match=r"truncated or corrupt|by its content") as caught:
        read_reference(data[: int(len(data) * kept)])
    assert "\n" not in str(caught.value)


def test_a_png_with_a_wrong_checksum_is_refused():
    data = bytearray(encoded(gradient(), "PNG"))
    data[29] ^= 255
    with pytest.raises(RequestError, match="truncated or corrupt"):
        read_reference(bytes(data))


def test_a_png_without_pixels_is_refused():
    data = png_file([(b"IHDR", struct.pack(">IIBBBBB", 32, 32, 8, 2, 0, 0, 0)), (b"IEND", b"")])
    with pytest.raises(RequestError, match="truncated or corrupt"):
        read_reference(data)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"just some text", "no picture known here"),
        (b"GIF89a" + bytes(40), "a GIF"),
        (b"\0\0\0\x18ftypheic" + bytes(40), "HEIC"),
    ],
)
def test_what_is_no_picture_is_named_for_what_it_is(tmp_path, content, words):
    path = tmp_path / "photo.png"
    path.write_bytes(content)
    with pytest.raises(RequestError, match=words):
        read_reference(path)


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(RequestError, match="does not exist"):
        read_reference(tmp_path / "missing.png")
    with pytest.raises(RequestError, match="a folder"):
        read_reference(tmp_path)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_numbers_without_a_range_are_refused(mode):
    with pytest.raises(RequestError, match=f"mode {mode}"):
        read_reference(Image.new(mode, (20, 20)))


def test_a_text_bomb_inside_a_png_is_refused_or_skipped():
    info = PngImagePlugin.PngInfo()
    info.add_text("bomb", "x" * 80_000_000, zip=True)
    with pytest.raises(RequestError, match="truncated or corrupt"):
        read_reference(encoded(gradient(), "PNG", pnginfo=info))
