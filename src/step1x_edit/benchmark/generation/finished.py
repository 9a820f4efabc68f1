"""A folder of finished pictures in the official layout → an editor, so that anybody's results can be judged."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageOps

from step1x_edit.benchmark.cases.case import JudgeableCase
from step1x_edit.benchmark.generation.case_editor import NoPicture
from step1x_edit.benchmark.generation.run_folder import PICTURES, edited_name, source_name
from step1x_edit.errors import DataError

__all__ = ["FinishedPictures"]

_ENDINGS = (".png", ".jpg", ".jpeg", ".webp")


class FinishedPictures:
    """Gives the picture that lies at ``<task>/<en|cn>/<key>`` below a folder (PNG, JPEG or WebP).

    Args:
        folder: ``fullset`` itself, or a folder that holds it (``results/<method>``).

    Raises:
        DataError: There is no such folder, or no picture in this layout.
    """

    seeded = False
    at_once = 1

    def __init__(self, folder: Path) -> None:
        self._folder = folder / PICTURES if (folder / PICTURES).is_dir() else folder
        self.name = folder.resolve().name
        self.version = f"finished pictures of {folder}"
        if not any(path.suffix.lower() in _ENDINGS for path in self._folder.glob("*/*/*")):
            raise DataError(
                given=f"{folder} without a finished picture",
                expected="pictures at fullset/TASK/en or cn/KEY.png, as GEdit-Bench's scorer takes them",
                remedy="Name the folder that holds fullset.",
            )

    def edit(self, case: JudgeableCase, source: Image.Image, *, seed: int) -> Image.Image | NoPicture:  # noqa: ARG002
        """Return the finished picture at its own size; none and a torn one are failures.

        Raises:
            DataError: The source beside it is torn, or has another size: it belongs to another case set.
        """
        self._check_source(case, source)
        wanted = self._folder / edited_name(case.id)
        path = next((one for ending in _ENDINGS if (one := wanted.with_suffix(ending)).is_file()), None)
        if path is None:
            return NoPicture(outcome="failed", reason="no file")
        try:
            # Upright, as the released scorer reads it: the run's own copy no longer says which way is up.
            with Image.open(path) as picture:
                return ImageOps.exif_transpose(picture).convert("RGB")
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as damage:
            return NoPicture(outcome="failed", reason=f"{path.name} cannot be decoded: {damage}")

    def _check_source(self, case: JudgeableCase, source: Image.Image) -> None:
        beside = self._folder / source_name(case.id)
        if not beside.is_file():
            return
        try:
            with Image.open(beside) as picture:
                size = picture.size
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as damage:
            raise DataError(
                given=f"{beside}, which cannot be decoded ({damage})",
                expected=f"the source of {case.id}",
                remedy="Fetch it again, or delete it: it is only compared with.",
            ) from damage
        if size != source.size:
            raise DataError(
                given=f"{beside} of {size[0]} x {size[1]} px",
                expected=f"the source of {case.id}, {source.width} x {source.height} px",
                remedy="Judge these pictures with the case set they were made from.",
            )
