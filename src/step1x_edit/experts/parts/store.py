"""The folder in which part files lie. It is only looked into here; ``setup.py`` fills it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from step1x_edit.errors import MissingExtra
from step1x_edit.experts.parts.table import Part, expert_needs, parts

__all__ = ["PartStore", "default_parts_folder", "sha256_of"]


def default_parts_folder() -> Path:
    """Return the user's cache folder for parts."""
    return Path.home() / ".cache" / "step1x-edit" / "parts"


class PartStore:
    """Finds the files of parts. Nothing is fetched and nothing written.

    Args:
        folder: Where parts lie; the user's cache folder when not given.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_parts_folder()

    def folder_of(self, part: Part) -> Path:
        """Return the folder of a part, one for each version."""
        return self.folder / f"{part.name}-{part.version}"

    def present(self, part: Part) -> bool:
        """Tell whether all files of a part are there."""
        archive = part.archive()
        return archive is not None and all((self.folder_of(part) / one.name).is_file() for one in archive.files)

    def intact(self, part: Part) -> bool:
        """Tell whether all files of a part are there with the content they should have."""
        archive = part.archive()
        folder = self.folder_of(part)
        return archive is not None and all(
            (folder / one.name).is_file() and sha256_of(folder / one.name) == one.sha256 for one in archive.files
        )

    def file(self, part: str, name: str) -> Path:
        """Return the path of one file of a part.

        Args:
            part: Name in ``parts.toml``.
            name: File of that part.

        Raises:
            MissingExtra: The part is not on this machine; the message names the command that brings it.
        """
        wanted = parts()[part]
        path = self.folder_of(wanted) / name
        if not path.is_file():
            raise self._missing(wanted)
        return path

    def _missing(self, part: Part) -> MissingExtra:
        archive = part.archive()
        if archive is None:
            return MissingExtra(
                given=f"a machine for which {part.package} {part.version} is not built",
                expected=f"one of {', '.join(one.platform for one in part.archives)}",
                remedy=f"Go without {part.name}, or make the data on such a machine.",
            )
        expert = next(name for name, needs in expert_needs().items() if part.name in needs.parts)
        return MissingExtra(
            given=f"no part {part.name} {part.version} in {self.folder}",
            expected=f"the files of the expert `{expert}`",
            remedy=f"Bring them with `step1x data setup {expert}` ({archive.megabytes:.0f} MB).",
        )


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
