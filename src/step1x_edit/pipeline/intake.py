"""Image intake: a file of the user's → a checked reference image in 8-bit sRGB, upright, its alpha apart.

PNG, JPEG and WebP are told by their content. Everything a result must not carry on (place, camera, thumbnails) is left
behind here, since only pixels go further.
"""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from PIL import Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from step1x_edit.errors import RequestError
from step1x_edit.pipeline.picture_modes import Pixels, split_pixels, split_sixteen_bit_png
from step1x_edit.schema.edit import MAX_SIDE_PX, MIN_SIDE_PX

__all__ = ["MAX_PIXELS", "PictureFormat", "ReferenceImage", "read_reference"]

MAX_PIXELS = 64_000_000

PictureFormat = Literal["PNG", "JPEG", "WEBP", "memory"]
_Decoded = TypeVar("_Decoded")

_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_OTHER_KINDS = {b"GIF8": "a GIF", b"II*\0": "a TIFF", b"MM\0*": "a TIFF", b"BM": "a BMP", b"%PDF": "a PDF"}
# What Pillow's decoders raise on damaged files.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceImage:
    """The image the user gives, ready for the pipeline."""

    rgb: Image.Image
    """Mode RGB, sRGB, upright."""
    alpha: Image.Image | None
    """Mode L, same size, 255 is opaque; ``None`` if the picture has no transparency."""
    width: int
    """Pixels, after turning upright. The result has the same."""
    height: int
    path: Path | None
    """Where it was read; ``None`` for bytes or a picture in memory."""
    sha256: str
    """Of the file's bytes, or of mode, size and pixels for a picture in memory."""
    format: PictureFormat


def read_reference(source: Path | bytes | Image.Image) -> ReferenceImage:
    """Read, check and normalise the reference image.

    The size is checked from the header before any pixel is decoded. A JPEG with further pictures behind the first
    (depth, gain map, preview of a phone) counts as the first picture.

    Args:
        source: A path, the bytes of a file, or a picture in memory.

    Returns:
        The reference image; its pixels are 8-bit sRGB whatever was stored.

    Raises:
        RequestError: The file is missing, is no PNG, JPEG or WebP, is animated, damaged, or of a size out of range.
    """
    if isinstance(source, Image.Image):
        return _from_memory(source)
    path, data = (None, source) if isinstance(source, bytes) else (source, _read_file(source))
    name = f"a picture of {len(data)} bytes" if path is None else str(path)
    kind = _recognise(data, name)
    image = _open(data, kind, name)
    pixels = _decoded(lambda: _split(image, data, kind), name)
    return _upright(pixels, image, path=path, sha256=hashlib.sha256(data).hexdigest(), kind=kind)


def _from_memory(image: Image.Image) -> ReferenceImage:
    name = "a picture in memory"
    _check_size(image.size, name)
    _check_still(image, name)
    _decoded(image.load, name)
    digest = hashlib.sha256(f"{image.mode} {image.width}x{image.height} ".encode() + image.tobytes()).hexdigest()
    return _upright(_decoded(lambda: split_pixels(image), name), image, path=None, sha256=digest, kind="memory")


def _read_file(path: Path) -> bytes:
    if not path.is_file():
        what = "a folder" if path.is_dir() else "a file that does not exist" if not path.exists() else "no regular file"
        raise RequestError(
            given=f"{path}, {what}", expected="a PNG, JPEG or WebP picture", remedy="Check the path of the picture."
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise RequestError(
            given=f"{path}, which cannot be read ({error.strerror})",
            expected="a readable picture",
            remedy="Check the permissions of the file.",
        ) from error


def _recognise(data: bytes, name: str) -> PictureFormat:
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    kind = next((words for start, words in _OTHER_KINDS.items() if data.startswith(start)), "no picture known here")
    if data[4:8] == b"ftyp":
        kind = "a HEIC, AVIF or video file"
    raise RequestError(
        given=f"{name}, which is {'empty' if not data else f'by its content {kind}'}",
        expected="a PNG, JPEG or WebP picture",
        remedy="Convert it to PNG, or choose another file.",
    )


def _open(data: bytes, kind: PictureFormat, name: str) -> Image.Image:
    """Read the header alone and check it. The format's class is used directly: ``Image.open`` would warn by itself."""
    if kind == "WEBP":
        # The WebP decoder reserves its canvas when it is made, so its header is read here first.
        _check_size(_decoded(lambda: _webp_size(data), name), name)
        image: Image.Image = _decoded(lambda: WebPImagePlugin.WebPImageFile(io.BytesIO(data)), name)
    elif kind == "PNG":
        image = _decoded(lambda: PngImagePlugin.PngImageFile(io.BytesIO(data)), name)
    else:
        image = _decoded(lambda: JpegImagePlugin.JpegImageFile(io.BytesIO(data)), name)
    _check_size(image.size, name)
    _check_still(image, name)
    return image


def _webp_size(data: bytes) -> tuple[int, int]:
    """Return width and height from the first chunk. Source: RFC 9649, sections 2.5 to 2.7."""
    chunk, body = data[12:16], data[20:30]
    if len(body) < 10:
        raise EOFError("the header is cut off")
    if chunk == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if chunk == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if chunk == b"VP8 ":
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    raise ValueError(f"unknown first chunk {chunk!r}")


def _split(image: Image.Image, data: bytes, kind: PictureFormat) -> Pixels:
    # Bytes 24 and 25 of a PNG are bit depth and colour type of its header chunk.
    if kind == "PNG" and data[24] == 16:
        return split_sixteen_bit_png(data, data[25])
    image.load()
    return split_pixels(image)


def _upright(
    pixels: Pixels, image: Image.Image, *, path: Path | None, sha256: str, kind: PictureFormat
) -> ReferenceImage:
    turn = _UPRIGHT.get(_orientation(image))
    rgb = pixels.rgb if turn is None else pixels.rgb.transpose(turn)
    alpha = pixels.alpha if turn is None or pixels.alpha is None else pixels.alpha.transpose(turn)
    rgb.info.clear()
    return ReferenceImage(
        rgb=rgb, alpha=alpha, width=rgb.width, height=rgb.height, path=path, sha256=sha256, format=kind
    )


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except _DAMAGE:
        return 1  # A damaged EXIF block states no orientation.


def _check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if not (min(size) >= MIN_SIDE_PX and max(size) <= MAX_SIDE_PX and width * height <= MAX_PIXELS):
        raise RequestError(
            given=f"{name} of {width} x {height} pixels",
            expected=f"sides of {MIN_SIDE_PX} to {MAX_SIDE_PX} pixels and at most {MAX_PIXELS // 1_000_000} megapixels",
            remedy="Resize or crop it first.",
        )


def _check_still(image: Image.Image, name: str) -> None:
    # More than one picture in a JPEG of a phone (MPO) is no animation.
    if getattr(image, "is_animated", False) and image.format != "MPO":
        raise RequestError(
            given=f"{name}, an animation of {getattr(image, 'n_frames', 2)} frames",
            expected="a single picture",
            remedy="Save the frame you want as a PNG.",
        )


def _decoded(decode: Callable[[], _Decoded], name: str) -> _Decoded:
    try:
        return decode()
    except RequestError:
        raise
    except _DAMAGE as error:
        raise RequestError(
            given=f"{name}, which is truncated or corrupt ({_one_line(error)})",
            expected="a whole PNG, JPEG or WebP picture",
            remedy="Fetch or save the file again.",
        ) from error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:100] or type(error).__name__
