"""Small files for the readers: good pictures, and one of every bad kind."""

from __future__ import annotations

import io
import os
import zlib
from pathlib import Path

import numpy as np
from drawn_experts import DrawnExperts
from drawn_pool import figure, hills
from PIL import Image, ImageDraw

from step1x_edit.experts.answers import PartVersion
from step1x_edit.experts.expert_set import ExpertSet

DEADLY = (1, 2, 3)
"""Colour of a first pixel at which :class:`RedFinder` ends its process, as a broken native library does."""


def photograph(number: int, *, width: int = 160, height: int = 120) -> Image.Image:
    """Hills, moved and tinted by number so that no two look alike."""
    rng = np.random.default_rng(number)
    picture = np.asarray(Image.fromarray(hills(number % 3)).resize((width, height))).astype(np.float32)
    blocks = np.kron(rng.uniform(0, 200, (4, 5, 3)), np.ones((height // 4 + 1, width // 5 + 1, 1)))
    return Image.fromarray(np.clip(0.4 * picture + blocks[:height, :width], 0, 255).astype(np.uint8))


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """A picture as the bytes of a file."""
    target = io.BytesIO()
    picture.save(target, kind, **options)
    return target.getvalue()


def sixteen_bit_png() -> bytes:
    """A grey PNG with 16 bits a channel."""
    return encoded(Image.fromarray((np.arange(80 * 80, dtype=np.uint16) * 10).reshape(80, 80)))


def huge_png() -> bytes:
    """A PNG whose header says 16,000 x 16,000 pixels; it is refused before anything is decoded."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")

    size = (16000).to_bytes(4, "big")
    header = chunk(b"IHDR", size + size + bytes([8, 2, 0, 0, 0]))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def good_files() -> dict[str, bytes]:
    """Files that can be read, by name."""
    turned = Image.Exif()
    turned[0x0112] = 6
    cutout = Image.fromarray(figure(0)).resize((96, 128))
    return {
        "a photograph.png": encoded(photograph(1)),
        "deep/er/turned.jpg": encoded(photograph(2), "JPEG", exif=turned.tobytes()),
        "cmyk.jpg": encoded(photograph(3).convert("CMYK"), "JPEG"),
        "sixteen.png": sixteen_bit_png(),
        "palette.png": encoded(photograph(4).quantize(16)),
        "grey.webp": encoded(photograph(5).convert("L").convert("RGB"), "WEBP"),
        "cutout.png": encoded(cutout),
        "really a jpeg.png": encoded(photograph(6), "JPEG"),
        "no suffix": encoded(photograph(7)),
    }


def bad_files() -> dict[str, tuple[bytes, str]]:
    """Files that cannot be used, by name, with words of the reason."""
    frames = [photograph(number, width=80, height=80) for number in range(3)]
    whole = encoded(photograph(8))
    return {
        "cut short.png": (whole[: len(whole) // 2], "truncated or corrupt"),
        "empty.jpg": (b"", "empty"),
        "tiny.png": (encoded(photograph(9, width=40, height=30)), "at least 64 pixels"),
        "huge.png": (huge_png(), "megapixels"),
        "moving.webp": (encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:]), "animation of 3 frames"),
        "moving.gif": (encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), "a GIF"),
        "text.jpg": (b"this is a letter, not a picture", "no picture known here"),
        "scan.tif": (encoded(photograph(10), "TIFF"), "a TIFF"),
        "invisible.png": (encoded(Image.new("RGBA", (90, 90), (9, 9, 9, 0))), "visible part"),
    }


def write_files(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files below a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def red_disc(number: int, *, left: int = 60) -> Image.Image:
    """A photograph with a pure red disc in it."""
    picture = photograph(number)
    ImageDraw.Draw(picture).ellipse((left, 40, left + 50, 90), fill=(255, 0, 0))
    return picture


class RedFinder(DrawnExperts):
    """An expert set for drawn pictures: its matte is what is pure red."""

    def part(self, expert: str) -> PartVersion:
        """Say who answers."""
        return PartVersion(part=f"red {expert}", version="1", licence="MIT")

    def matte(self, picture: np.ndarray) -> np.ndarray:
        """Find red, or end the process."""
        if tuple(picture[0, 0]) == DEADLY:
            os._exit(9)
        return ((picture[..., 0] > 250) & (picture[..., 1] < 5)).astype(np.float32)


def call_it_a_disc(experts: ExpertSet, photo: np.ndarray, matte: np.ndarray) -> tuple[str, str]:
    """Name every subject the same."""
    assert photo.shape[:2] == matte.shape
    return experts.part("matte").part.replace("matte", "disc"), "红色圆盘"
