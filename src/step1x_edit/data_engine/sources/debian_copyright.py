"""Reads licence and author of single files out of a Debian package's copyright file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

__all__ = ["DebianCopyright", "FileTerms"]

YEARS = re.compile(r"^[\d\s,.;-]*(?:©|\(c\))?[\d\s,.;-]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTerms:
    """What a stanza says about the files its patterns match."""

    patterns: tuple[str, ...]
    licence: str
    author: str


class DebianCopyright:
    """The stanzas of a machine-readable copyright file.

    Args:
        path: ``copyright`` in the package's folder below ``usr/share/doc``.

    Source:
        Debian's "Machine-readable debian/copyright file", version 1.0.
    """

    def __init__(self, path: Path) -> None:
        stanzas = re.split(r"\n\s*\n", path.read_text(encoding="utf-8"))
        self._terms = [terms for terms in map(_terms, stanzas) if terms is not None]

    def terms(self, source: str) -> FileTerms | None:
        """Return what is said about a file of the source package; the last stanza that matches counts.

        Packages convert pictures while they are built, so a pattern also matches where only the suffix differs, if no
        pattern matches exactly.

        Args:
            source: The file's path in the source package.
        """
        exact = [terms for terms in self._terms if any(_matches(source, pattern) for pattern in terms.patterns)]
        special = [terms for terms in exact if terms.patterns != ("*",)]
        stem = str(PurePosixPath(source).with_suffix(""))
        same_stem = [
            terms
            for terms in self._terms
            if any(str(PurePosixPath(pattern).with_suffix("")) == stem for pattern in terms.patterns)
        ]
        found = same_stem or special or exact
        return found[-1] if found else None


def _terms(stanza: str) -> FileTerms | None:
    fields = _fields(stanza)
    if "files" not in fields or "license" not in fields:
        return None
    authors = [YEARS.sub("", line).strip() for line in fields.get("copyright", "").splitlines()]
    authors = [name for name in authors if name and name.lower() != "none"]
    return FileTerms(
        patterns=tuple(fields["files"].split()),
        licence=fields["license"].splitlines()[0].strip(),
        # Long lists are those of whole projects; three names say enough.
        author=", ".join([*authors[:3], *(["et al."] if len(authors) > 3 else [])]),
    )


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line[:1] in (" ", "\t"):
            fields[name] = f"{fields.get(name, '')}\n{line.strip()}"
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.lower()
            fields[name] = value.strip()
    return fields


def _matches(path: str, pattern: str) -> bool:
    return fnmatchcase(path, pattern)
