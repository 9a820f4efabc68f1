"""Results on disk: a target image in the size of its reference, lossless unless asked otherwise, its recipe inside.

The parameters are JSON in a place each format has for text: an iTXt chunk of a PNG, the EXIF user comment of a WebP or
JPEG. Writing is atomic and never replaces a file unless told to.
"""

from __future__ import annotations

import io
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Literal

from PIL import ExifTags, Image, PngImagePlugin
from pydantic import ValidationError

from step1x_edit.errors import RequestError, ShapeError
from step1x_edit.pipeline.intake import ReferenceImage
from step1x_edit.schema.edit import EditParameters, EditResult, request_error

__all__ = [
    "PARAMETERS_KEY",
    "ResultFormat",
    "attach_alpha",
    "encode_picture",
    "numbered_paths",
    "read_parameters",
    "require_writable",
    "result_format",
    "save_picture",
    "save_result",
    "write_atomically",
]

ResultFormat = Literal["PNG", "WEBP", "JPEG"]

PARAMETERS_KEY = "step1x-edit"
JPEG_QUALITY = 95
MAX_WEBP_SIDE_PX = 16383  # Fourteen bits in the format's header.

_FORMATS: dict[str, ResultFormat] = {".png": "PNG", ".webp": "WEBP", ".jpg": "JPEG", ".jpeg": "JPEG"}
_ASCII_COMMENT = b"ASCII\0\0\0"  # Prefix of a user comment (EXIF 2.32, 4.6.5).


def attach_alpha(target: Image.Image, reference: ReferenceImage) -> Image.Image:
    """Return the target image with the reference image's alpha copied through.

    Args:
        target: Mode RGB, in the size of the reference image.
        reference: The image the target was made from.

    Raises:
        ShapeError: The target has another size than its reference.
    """
    if target.size != (reference.width, reference.height):
        raise ShapeError(
            given=f"a target of {target.width} x {target.height}",
            expected=f"the reference's {reference.width} x {reference.height}",
            remedy="Bring the target back to the reference's size before attaching alpha.",
        )
    if reference.alpha is None:
        return target
    with_alpha = target.convert("RGB")
    with_alpha.putalpha(reference.alpha)
    return with_alpha


def save_result(result: EditResult, path: Path | str, *, overwrite: bool = False) -> tuple[Path, ...]:
    """Write the pictures of a result; several get numbers: ``night-1.png``, ``night-2.png``.

    Args:
        result: What an edit gave.
        path: Where to; ``.png`` and ``.webp`` are lossless, ``.jpg`` is JPEG of quality 95.
        overwrite: Replace files that exist.

    Returns:
        The files written.

    Raises:
        RequestError: The suffix is unknown, a file exists, or the place cannot be written.
    """
    paths = numbered_paths(Path(path), len(result.images))
    if not overwrite:
        for one in paths:
            _refuse_existing(one)
    for index, (image, one) in enumerate(zip(result.images, paths, strict=True)):
        save_picture(image, one, result.parameters(index), overwrite=overwrite)
    return paths


def numbered_paths(path: Path, count: int) -> tuple[Path, ...]:
    """Return the path itself for one picture, else one path per picture with its number before the suffix."""
    if count == 1:
        return (path,)
    return tuple(path.with_name(f"{path.stem}-{number}{path.suffix}") for number in range(1, count + 1))


def save_picture(image: Image.Image, path: Path, parameters: EditParameters, *, overwrite: bool = False) -> None:
    """Write one picture with its parameters in the format its name asks for.

    Raises:
        RequestError: The suffix is unknown, the file exists, the format cannot hold the size, or writing fails.
    """
    kind = result_format(path)
    if not overwrite:
        _refuse_existing(path)
    write_atomically(path, encode_picture(image, kind, parameters.model_dump_json()), overwrite=overwrite)


def result_format(path: Path) -> ResultFormat:
    """Return the format a name asks for.

    Raises:
        RequestError: The suffix is none we write.
    """
    kind = _FORMATS.get(path.suffix.lower())
    if kind is None:
        raise RequestError(
            given=f"the output name {path}",
            expected="a name ending in .png, .webp (both lossless), .jpg or .jpeg",
            remedy="Choose one of these endings.",
        )
    return kind


def encode_picture(image: Image.Image, kind: ResultFormat, text: str, *, key: str = PARAMETERS_KEY) -> bytes:
    """Return the bytes of a picture file with a text inside.

    PNG and WebP are lossless, colours under transparent pixels included. JPEG has quality 95 and full colour
    resolution; it knows no alpha, so a transparent picture is laid on white.

    Args:
        image: Mode RGB or RGBA.
        kind: Format of the file.
        text: Parameters as JSON.
        key: Name of the text where the format has names (PNG).

    Raises:
        RequestError: The picture is too large for the format.
    """
    if kind == "WEBP" and max(image.size) > MAX_WEBP_SIDE_PX:
        raise RequestError(
            given=f"a WebP of {image.width} x {image.height} pixels",
            expected=f"sides of at most {MAX_WEBP_SIDE_PX} pixels",
            remedy="Write a PNG instead.",
        )
    buffer = io.BytesIO()
    if kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt(key, text)
        image.save(buffer, "PNG", pnginfo=info)
    elif kind == "WEBP":
        image.save(buffer, "WEBP", lossless=True, exact=True, exif=_user_comment(text))
    else:
        opaque = _on_white(image)
        opaque.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0, exif=_user_comment(text))
    return buffer.getvalue()


def read_parameters(path: Path) -> EditParameters:
    """Return the parameters written into a result.

    Raises:
        RequestError: The file is missing, is no picture, or holds no parameters of ours.
    """
    try:
        with Image.open(path, formats=("PNG", "WEBP", "JPEG")) as image:
            text = image.info.get(PARAMETERS_KEY) if image.format == "PNG" else _read_user_comment(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = "does not exist" if isinstance(error, FileNotFoundError) else "is no readable PNG, WebP or JPEG"
        raise RequestError(
            given=f"{path}, which {reason}", expected="a result of step1x edit", remedy="Check the path."
        ) from error
    if not isinstance(text, str) or not text.startswith("{"):
        raise RequestError(
            given=f"{path}, a picture without parameters",
            expected="a result of step1x edit as it was written",
            remedy="Other programs drop the parameters when they save a picture; use the original file.",
        )
    try:
        return EditParameters.model_validate_json(text)
    except ValidationError as error:
        raise request_error(error, where=f"{path} with parameters of another version: ") from error


def write_atomically(path: Path, data: bytes, *, overwrite: bool) -> None:
    """Write a whole file or nothing: a temporary file in the same folder takes the name when it is complete.

    Raises:
        RequestError: The file exists and may not be replaced, or the place cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(data)
            if not overwrite:
                _refuse_existing(path)
            part.replace(path)
        finally:
            with suppress(FileNotFoundError):
                part.unlink()
    except OSError as error:
        raise RequestError(
            given=f"the output {path}, which cannot be written ({error.strerror})",
            expected="a folder with room and permission to write",
            remedy="Choose another place with --out.",
        ) from error


def require_writable(path: Path) -> None:
    """Complain about a place that cannot be written before any work is done; nothing is made there yet.

    Raises:
        RequestError: The name is a folder's, or its folder is a file or forbids writing.
    """
    place = next(parent for parent in path.absolute().parents if os.access(parent, os.F_OK))
    if path.is_dir() or not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise RequestError(
            given=f"the output {path}, which {'is a folder' if path.is_dir() else 'cannot be written'}",
            expected="a file in a folder with room and permission to write",
            remedy="Choose another place with --out.",
        )


def _refuse_existing(path: Path) -> None:
    if path.exists():
        raise RequestError(
            given=f"the output {path}, which exists already",
            expected="a name that is free",
            remedy="Choose another name, or ask to overwrite it (--force).",
        )


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image.convert("RGB")
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white


def _user_comment(text: str) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Software] = PARAMETERS_KEY
    # ASCII: readers disagree about the byte order of the Unicode form.
    escaped = json.dumps(json.loads(text), ensure_ascii=True)
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.UserComment: _ASCII_COMMENT + escaped.encode("ascii")}
    return exif


def _read_user_comment(image: Image.Image) -> str | None:
    comment = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment)
    if not isinstance(comment, bytes) or not comment.startswith(_ASCII_COMMENT):
        return None
    return comment.removeprefix(_ASCII_COMMENT).decode("ascii", errors="replace")
