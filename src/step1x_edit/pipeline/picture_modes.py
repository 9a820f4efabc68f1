"""Any way a picture stores its pixels → 8-bit sRGB with the alpha channel apart."""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

from step1x_edit.errors import RequestError

__all__ = ["Pixels", "split_pixels", "split_sixteen_bit_png"]

_ALPHA_MODES = {"PA": "RGBA", "La": "LA", "RGBa": "RGBA"}
# Colour space of the device, a field of the ICC header (ICC.1:2022, table 17).
_PROFILE_SPACE = slice(16, 20)
_PNG_GREY, _PNG_GREY_ALPHA, _PNG_COLOUR_ALPHA = 0, 4, 6


class Pixels(NamedTuple):
    """Colours and transparency of a picture, apart."""

    rgb: Image.Image
    """Mode RGB, sRGB, as stored: colours under transparent pixels are not touched."""
    alpha: Image.Image | None
    """Mode L, 255 is opaque; ``None`` for a picture without transparency."""


def split_pixels(image: Image.Image) -> Pixels:
    """Bring a decoded picture to 8-bit sRGB and take its alpha apart.

    Grey, palette, CMYK and YCbCr are converted; an embedded ICC profile is honoured unless it is damaged or made for
    another kind of colour, in which case the picture counts as sRGB, as in browsers.

    Raises:
        RequestError: The picture stores numbers without a defined range (modes I and F).
    """
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I;16"):
        return _split_sixteen_bit_grey(image, profile)
    if image.mode in ("I", "F"):
        raise RequestError(
            given=f"a picture of mode {image.mode}, numbers without a range",
            expected="grey, palette, RGB or CMYK with 8 or 16 bits",
            remedy="Scale it to 0..255 and convert it to mode L or RGB first.",
        )
    image = _with_explicit_alpha(image)
    alpha = image.getchannel("A") if "A" in image.getbands() and image.mode != "LAB" else None
    colour = image.convert("L" if image.mode == "LA" else "RGB") if alpha is not None else image
    return Pixels(_to_srgb(colour, profile), alpha)


def split_sixteen_bit_png(data: bytes, colour_type: int) -> Pixels:
    """Decode a PNG of 16 bits per channel and round it to 8; Pillow alone would cut off the low bytes.

    The file is decoded twice, once for the high and once for the low bytes of every channel.

    Args:
        data: The file.
        colour_type: PNG's own number: 0 grey, 2 RGB, 4 grey with alpha, 6 RGBA.
    """
    if colour_type == _PNG_GREY:
        return split_pixels(PngImagePlugin.PngImageFile(io.BytesIO(data)))
    first = PngImagePlugin.PngImageFile(io.BytesIO(data))
    profile, key = first.info.get("icc_profile"), first.info.get("transparency")
    if colour_type == _PNG_GREY_ALPHA:
        # Two channels of two bytes are read as one pixel of four.
        both = _decode_as(data, "RGBA")
        high, low = both[..., 0::2], both[..., 1::2]
    else:
        mode = "RGBA" if colour_type == _PNG_COLOUR_ALPHA else "RGB"
        high, low = _decode_as(data, f"{mode};16B"), _decode_as(data, f"{mode};16L")
    channels = _round_to_eight_bit(high, low)
    alpha = None
    if colour_type in (_PNG_GREY_ALPHA, _PNG_COLOUR_ALPHA):
        alpha = Image.fromarray(np.ascontiguousarray(channels[..., -1]))
        channels = channels[..., :-1]
    elif isinstance(key, tuple):
        key_high, key_low = np.divmod(np.array(key, dtype=np.uint16), 256)
        clear = ((high == key_high) & (low == key_low)).all(axis=-1)
        alpha = Image.fromarray(np.where(clear, 0, 255).astype(np.uint8))
    colour = Image.fromarray(np.ascontiguousarray(channels.squeeze(-1) if channels.shape[-1] == 1 else channels))
    return Pixels(_to_srgb(colour, profile), alpha)


def _decode_as(data: bytes, raw_mode: str) -> np.ndarray:
    image = PngImagePlugin.PngImageFile(io.BytesIO(data))
    image.tile = [tile._replace(args=raw_mode) for tile in image.tile]
    return np.asarray(image)


def _round_to_eight_bit(high: np.ndarray, low: np.ndarray) -> np.ndarray:
    """Return round(value / 257) for value = 256 high + low, in little memory."""
    # value = 257 high + (low - high), and |low - high| < 257, so rounding moves the high byte by one at most.
    difference = low.astype(np.int16) - high
    return (high + (difference > 128).astype(np.int16) - (difference < -128)).astype(np.uint8)


def _split_sixteen_bit_grey(image: Image.Image, profile: bytes | None) -> Pixels:
    values = np.asarray(image).astype(np.uint16)
    grey = Image.fromarray(_round_to_eight_bit((values >> 8).astype(np.uint8), (values & 255).astype(np.uint8)))
    key = image.info.get("transparency")
    alpha = None if key is None else Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8))
    return Pixels(_to_srgb(grey, profile), alpha)


def _with_explicit_alpha(image: Image.Image) -> Image.Image:
    if "transparency" in image.info and image.mode in ("1", "L", "P", "RGB"):
        return image.convert("LA" if image.mode in ("1", "L") else "RGBA")
    if image.mode in _ALPHA_MODES:
        return image.convert(_ALPHA_MODES[image.mode])
    return image.convert("L" if image.mode == "1" else "RGB") if image.mode in ("1", "P") else image


def _to_srgb(colour: Image.Image, profile_bytes: bytes | None) -> Image.Image:
    if not profile_bytes:
        return colour.convert("RGB")
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(profile_bytes))
        # Through lcms, sRGB to sRGB can move a value by one; what is sRGB already stays as it is.
        if ImageCms.getProfileDescription(profile).startswith("sRGB"):
            return colour.convert("RGB")
        space = profile_bytes[_PROFILE_SPACE]
        source = colour if (space, colour.mode) in ((b"GRAY", "L"), (b"CMYK", "CMYK")) else None
        if space == b"RGB " and colour.mode != "CMYK":
            source = colour.convert("RGB")
        if source is None:
            return colour.convert("RGB")
        transform = ImageCms.buildTransform(
            profile,
            ImageCms.createProfile("sRGB"),
            source.mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        converted = ImageCms.applyTransform(source, transform)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return colour.convert("RGB")
    assert converted is not None, "applyTransform returns a picture unless told to work in place"
    return converted
