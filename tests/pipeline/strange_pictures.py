"""Pictures as people bring them, made here byte by byte where Pillow cannot write them."""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    """Return a picture as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def gradient(width: int = 40, height: int = 24) -> Image.Image:
    """Return a picture whose every pixel is different, so that turning and cutting show."""
    rows, columns = np.mgrid[0:height, 0:width]
    channels = np.stack(
        [columns * 255 // max(width - 1, 1), rows * 255 // max(height - 1, 1), (rows + columns) % 256], -1
    )
    return Image.fromarray(channels.astype(np.uint8))


def sixteen_bit_png(values: np.ndarray, colour_type: int, transparency: bytes | None = None) -> bytes:
    """Write height x width x channels of uint16 as a PNG."""
    height, width = values.shape[:2]
    rows = values.reshape(height, -1).astype(">u2")
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    chunks = [(b"IHDR", header)]
    if transparency is not None:
        chunks.append((b"tRNS", transparency))
    return png_file([*chunks, (b"IDAT", zlib.compress(raw)), (b"IEND", b"")])


def png_file(chunks: list[tuple[bytes, bytes]]) -> bytes:
    """Join chunks into a PNG with right checksums."""
    parts = [b"\x89PNG\r\n\x1a\n"]
    for name, body in chunks:
        parts.append(struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)))
    return b"".join(parts)


def huge_png(width: int, height: int) -> bytes:
    """Return a PNG whose header claims a size and whose pixels are missing."""
    return png_file([(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", b""), (b"IEND", b"")])


def swapped_channels_profile() -> bytes:
    """Return an RGB profile in which red and green have changed places, so that honouring it is plain to see."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = {
        bytes(profile[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i
        for i in range(struct.unpack_from(">I", profile, 128)[0])
    }
    red, green = tags[b"rXYZ"], tags[b"gXYZ"]
    profile[red + 4 : red + 12], profile[green + 4 : green + 12] = (
        profile[green + 4 : green + 12],
        profile[red + 4 : red + 12],
    )
    description = profile.find("sRGB".encode("utf-16-be"))
    profile[description : description + 8] = "Swap".encode("utf-16-be")
    return bytes(profile)
