"""Fills holes in pictures from what surrounds them.

Two classical methods, both without training: PatchMatch (Barnes et al., SIGGRAPH 2009), which copies texture, for
holes with some extent; Telea's fast marching (J. Graphics Tools 2004), which draws colours inward, for thin strokes.
The report uses learned inpainting (FLUX fill, LaMa-like removal).
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8

from step1x_edit.errors import ExpertError
from step1x_edit.experts.extras import optional_package, part_file

__all__ = ["HoleFilling"]

PATCH_RADIUS = 3
"""Compared patches span 7 x 7 pixels."""
SEED = 1
"""The search is random; from one seed, equal pictures give equal fillings."""
THIN_REACH_PX = 3
"""No pixel of a thin mask is farther than this from what is kept: pen strokes and small lettering."""
TELEA_RADIUS_PX = 4


class _Shape(ctypes.Structure):
    _fields_ = [("width", ctypes.c_int), ("height", ctypes.c_int), ("channels", ctypes.c_int)]


class _Matrix(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("shape", _Shape), ("type", ctypes.c_int)]


class HoleFilling:
    """The inpainting expert, on one thread.

    Args:
        library: PatchMatch built for this machine, as PyPI's ``pypatchmatch`` carries it.

    Raises:
        MissingExtra: OpenCV is not installed, or there is no such file.
        ExpertError: The file is no PatchMatch library for this machine.
    """

    def __init__(self, library: Path) -> None:
        self._cv2 = optional_package("cv2")
        self._library = _load(part_file(library))

    def inpaint(
        self, picture: UInt8[np.ndarray, "height width 3"], mask: Bool[np.ndarray, "height width"]
    ) -> UInt8[np.ndarray, "height width 3"]:
        """Return the picture with the masked part filled; the rest is bit-equal.

        Shadows and reflections outside the mask stay. Repeating structure whose period is larger than the hole's
        surround shows is not continued.

        Raises:
            ExpertError: The mask leaves nothing to fill from.
        """
        if not mask.any():
            return picture.copy()
        if mask.all():
            raise ExpertError(
                given="a mask of the whole picture",
                expected="some of the picture kept",
                remedy="Inpaint a smaller part.",
            )
        filled = self._telea(picture, mask) if self._thin(mask) else self._patchmatch(picture, mask)
        return np.where(mask[..., None], filled, picture)

    def _thin(self, mask: Bool[np.ndarray, "height width"]) -> bool:
        distance = self._cv2.distanceTransform(mask.astype(np.uint8), self._cv2.DIST_L2, 3)
        return float(distance.max()) <= THIN_REACH_PX

    def _telea(
        self, picture: UInt8[np.ndarray, "height width 3"], mask: Bool[np.ndarray, "height width"]
    ) -> UInt8[np.ndarray, "height width 3"]:
        hole = mask.astype(np.uint8)
        return self._cv2.inpaint(np.ascontiguousarray(picture), hole, TELEA_RADIUS_PX, self._cv2.INPAINT_TELEA)

    def _patchmatch(
        self, picture: UInt8[np.ndarray, "height width 3"], mask: Bool[np.ndarray, "height width"]
    ) -> UInt8[np.ndarray, "height width 3"]:
        picture, hole = np.ascontiguousarray(picture), np.ascontiguousarray(mask[..., None], dtype=np.uint8)
        self._library.PM_set_random_seed(SEED)
        filled = self._library.PM_inpaint(_matrix(picture), _matrix(hole), PATCH_RADIUS)
        if not filled.data:
            raise ExpertError(
                given=f"a picture of {picture.shape[1]} x {picture.shape[0]} ({self._library.PM_last_error()!r})",
                expected="PatchMatch to fill it",
                remedy="Leave this picture out.",
            )
        try:
            content = ctypes.string_at(filled.data, picture.size)
            return np.frombuffer(content, dtype=np.uint8).reshape(picture.shape)
        finally:
            self._library.PM_free_pymat(filled)


def _matrix(pixels: UInt8[np.ndarray, "height width channels"]) -> _Matrix:
    height, width, channels = pixels.shape
    bytes_of_pixels = 0
    return _Matrix(pixels.ctypes.data, _Shape(width, height, channels), bytes_of_pixels)


def _load(path: Path) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(str(path))
        library.PM_set_random_seed.argtypes = [ctypes.c_uint]
        library.PM_set_random_seed.restype = None
        library.PM_free_pymat.argtypes = [_Matrix]
        library.PM_free_pymat.restype = None
        library.PM_last_error.restype = ctypes.c_char_p
        library.PM_inpaint.argtypes = [_Matrix, _Matrix, ctypes.c_int]
        library.PM_inpaint.restype = _Matrix
    except (OSError, AttributeError) as broken:
        raise ExpertError(
            given=f"{path} ({broken})",
            expected="PatchMatch built for this machine",
            remedy="Bring the part again with `step1x data setup inpaint`.",
        ) from broken
    return library
