"""``fetch``: the only code of the package that downloads weights, and ``verify``, which checks what was downloaded.

Sizes and checksums are the hub's own: SHA-256 for large files, git's blob hash for small ones.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from step1x_edit.errors import CheckpointError, MissingRelease
from step1x_edit.models.checkpoint.safetensors_header import read_header
from step1x_edit.pipeline.weights import EMBEDDED, Repository, absent_parts, repositories, snapshot, snapshots
from step1x_edit.schema.release import Release

__all__ = ["FetchPlan", "FileCheck", "StatedFile", "fetch", "plan_fetch", "require_sound", "verify"]

_CHUNK_BYTES = 1 << 22
_SHA256_DIGITS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedFile:
    """A file as the hub states it."""

    repository: str
    name: str
    size: int
    checksum: str
    """SHA-256 (64 digits) of a large file, git's blob hash (40 digits) of a small one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchPlan:
    """What fetching a release means."""

    release: Release
    files: tuple[StatedFile, ...]
    cached: int
    """Bytes that are in the cache already."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCheck:
    """What became of checking one file."""

    path: Path
    size: int
    problem: str | None
    """What is wrong with it in words; ``None`` if nothing is."""


def plan_fetch(release: Release, *, cache: Path | None = None, endpoint: str | None = None) -> FetchPlan:
    """Ask the hub what a release consists of.

    Args:
        release: The release.
        cache: Cache folder of ``huggingface_hub``; its own by default.
        endpoint: Address of the hub; its own by default.

    Raises:
        MissingRelease: The hub cannot be reached or does not have the release, or the release is embedded.
    """
    if not repositories(release):
        raise MissingRelease(
            given=f"the release {release.id} to fetch",
            expected="a release that is published on the hub",
            remedy=f"{release.id} is embedded in this package; there is nothing to fetch.",
        )
    files = tuple(file for repository in repositories(release) for file in _stated_files(repository, endpoint))
    cached = sum(file.size for file in files if _is_cached(file, cache))
    return FetchPlan(release=release, files=files, cached=cached)


def fetch(plan: FetchPlan, *, cache: Path | None = None, endpoint: str | None = None) -> tuple[Path, ...]:
    """Download what is missing, with the hub client's progress bars, and check every file.

    A stopped download goes on where it stopped.

    Args:
        plan: Result of :func:`plan_fetch`.
        cache: Cache folder of ``huggingface_hub``; its own by default.
        endpoint: Address of the hub; its own by default.

    Returns:
        The folder of each repository.

    Raises:
        MissingRelease: The hub cannot be reached, or the disk is too small.
        CheckpointError: A downloaded file is not what the hub stated.
    """
    from huggingface_hub import constants, snapshot_download

    _require_space(plan, cache or Path(constants.HF_HUB_CACHE))
    for repository in repositories(plan.release):
        names = [file.name for file in plan.files if file.repository == repository.id]
        with _hub_errors(repository):
            snapshot_download(repository.id, allow_patterns=names, cache_dir=cache, endpoint=endpoint)
    checks = tuple(verify(plan.release, cache=cache))
    require_sound(checks, remedy=f"Delete it and run `step1x fetch {plan.release.id}` again.")
    found = snapshots(plan.release, cache=cache)
    if found is None:
        raise MissingRelease(
            given=f"the release {plan.release.id}, fetched but without all its parts",
            expected="transformer, VAE and multimodal LLM in its repositories",
            remedy="The published files have changed; update this package.",
        )
    return found


def verify(
    release: Release,
    *,
    weights: Path | None = None,
    cache: Path | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Iterator[FileCheck]:
    """Check every file of a release on this machine against what the hub stated, and every safetensors header.

    Args:
        release: The release.
        weights: A folder that ``huggingface_hub`` downloaded to; the cache by default. Files copied in by other means
            have no stated checksum; of those the headers are checked alone.
        cache: Cache folder of ``huggingface_hub``; its own by default.
        advance: Called with the number of bytes read, for a progress bar.

    Yields:
        One record for each file.

    Raises:
        MissingRelease: Nothing of the release is on this machine.
    """
    for folder, patterns in _folders(release, weights, cache):
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if (
                path.is_file()
                and not name.startswith(".cache/")
                and any(fnmatch(name, pattern) for pattern in patterns)
            ):
                yield FileCheck(path=path, size=path.stat().st_size, problem=_problem(folder, name, advance))
        for name in absent_parts(release, folder):
            yield FileCheck(path=folder / name, size=0, problem="is missing or incomplete")


def require_sound(checks: Iterable[FileCheck], *, remedy: str) -> None:
    """Stop if a check found something.

    Raises:
        CheckpointError: Naming the first broken file and how many there are.
    """
    broken = [check for check in checks if check.problem]
    if broken:
        more = f", and {len(broken) - 1} more broken files" if len(broken) > 1 else ""
        raise CheckpointError(
            given=f"{broken[0].path}, which {broken[0].problem}{more}",
            expected="the files as the hub states them",
            remedy=remedy,
        )


def _folders(release: Release, weights: Path | None, cache: Path | None) -> Iterator[tuple[Path, tuple[str, ...]]]:
    if weights is not None or release.form == "embedded":
        yield weights or EMBEDDED, ("*",)
        return
    for repository in repositories(release):
        folder = snapshot(repository, cache)
        if folder is None:
            raise MissingRelease(
                given=f"the release {release.id}, of which {repository.id} is not on this machine",
                expected="a fetched release",
                remedy=f"Run `step1x fetch {release.id}` first.",
            )
        yield folder, repository.patterns


def _problem(folder: Path, name: str, advance: Callable[[int], None]) -> str | None:
    path = folder / name
    stated = _stated_checksum(folder, name)
    if stated is not None and _checksum(path, stated, advance) != stated:
        return "differs from the hub's checksum"
    if path.suffix == ".safetensors":
        try:
            read_header(path)
        except CheckpointError as error:
            return f"is not whole ({error.given})"
    return None


def _stated_checksum(folder: Path, name: str) -> str | None:
    """Return the checksum the hub stated at the download: the cache names files by it, a plain folder notes it."""
    blob = (folder / name).resolve()
    if blob.parent.name == "blobs":
        return blob.name
    note = folder / ".cache" / "huggingface" / "download" / f"{name}.metadata"
    lines = note.read_text(encoding="utf-8").split() if note.is_file() else []
    return lines[1] if len(lines) > 1 else None


def _checksum(path: Path, stated: str, advance: Callable[[int], None]) -> str:
    if len(stated) == _SHA256_DIGITS:
        digest = hashlib.sha256()
    else:
        digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)  # git's blob hash
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            advance(len(chunk))
    return digest.hexdigest()


def _stated_files(repository: Repository, endpoint: str | None) -> list[StatedFile]:
    from huggingface_hub import HfApi

    with _hub_errors(repository):
        info = HfApi(endpoint=endpoint).model_info(repository.id, files_metadata=True)
    files = []
    for entry in info.siblings or []:
        if any(fnmatch(entry.rfilename, pattern) for pattern in repository.patterns):
            checksum = entry.lfs.sha256 if entry.lfs else entry.blob_id
            files.append(
                StatedFile(
                    repository=repository.id, name=entry.rfilename, size=entry.size or 0, checksum=checksum or ""
                )
            )
    if not files:
        raise MissingRelease(
            given=f"{repository.id}, which holds none of {', '.join(repository.patterns)}",
            expected="the published files",
            remedy="The published files have changed; update this package.",
        )
    return files


def _is_cached(file: StatedFile, cache: Path | None) -> bool:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(file.repository, file.name, cache_dir=cache)
    return isinstance(found, str) and Path(found).resolve().name == file.checksum


def _require_space(plan: FetchPlan, cache: Path) -> None:
    folder = next(path for path in (cache, *cache.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(folder).free
    if plan.size - plan.cached > free:
        raise MissingRelease(
            given=f"{free / 2**30:.1f} GiB of free disk at {folder}",
            expected=f"{(plan.size - plan.cached) / 2**30:.1f} GiB for {plan.release.id}",
            remedy="Free some space, or set HF_HOME to a larger disk.",
        )


@contextmanager
def _hub_errors(repository: Repository) -> Iterator[None]:
    from huggingface_hub import errors

    try:
        yield
    except (OSError, errors.HTTPError, errors.LocalEntryNotFoundError) as error:
        why = " ".join(str(error).split())[:200]
        raise MissingRelease(
            given=f"the hub repository {repository.id}, which could not be read ({type(error).__name__}: {why})",
            expected="a connection to the hub",
            remedy="Check the network, or name a folder that holds the weights.",
        ) from error
