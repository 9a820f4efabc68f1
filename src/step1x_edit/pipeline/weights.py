"""Where the weights of a release lie on this machine. Nothing is downloaded here.

The usual place is the cache of ``huggingface_hub``, which ``step1x fetch`` fills; a folder can be named instead.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from step1x_edit.errors import MissingRelease
from step1x_edit.schema.release import Release

__all__ = [
    "EMBEDDED",
    "Repository",
    "WeightPlaces",
    "absent_parts",
    "is_present",
    "locate",
    "repositories",
    "snapshot",
    "snapshots",
]

EMBEDDED = Path(str(files("step1x_edit") / "nano"))
"""Folder of the release inside this package."""

_FOLDER_PARTS = ("transformer", "vae", "text_encoder")
_PLACES = (*_FOLDER_PARTS, "processor")
_FOLDER_FILES = ("model_index.json", *(f"{part}/*" for part in (*_FOLDER_PARTS, "processor", "scheduler", "tokenizer")))
_MLLM_FILES = ("*.json", "*.safetensors", "merges.txt")
_MLLM_FOLDERS = ("text_encoder", "Qwen2.5-VL-7B-Instruct")
"""Names under which people keep the multimodal LLM beside the single files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """What a release needs from one repository of the hub."""

    id: str
    patterns: tuple[str, ...]
    """Files to fetch, as ``fnmatch`` patterns."""
    landmark: str
    """A file that is there whenever the repository is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightPlaces:
    """Files and folders of a release's parts."""

    transformer: Path
    vae: Path
    text_encoder: Path
    processor: Path


def repositories(release: Release) -> tuple[Repository, ...]:
    """Return what a release needs from the hub; nothing for the embedded one."""
    if release.repository is None:
        return ()
    if release.form == "single_files":
        names = tuple(release.files.values())
        needed = [Repository(id=release.repository, patterns=names, landmark=names[0])]
    else:
        needed = [Repository(id=release.repository, patterns=_FOLDER_FILES, landmark="model_index.json")]
    if release.mllm_repository is not None:
        needed.append(Repository(id=release.mllm_repository, patterns=_MLLM_FILES, landmark="config.json"))
    return tuple(needed)


def snapshots(release: Release, *, cache: Path | None = None) -> tuple[Path, ...] | None:
    """Return the cached folder of each of a release's repositories, or ``None`` if one is absent or incomplete."""
    found = tuple(snapshot(repository, cache) for repository in repositories(release))
    whole = all(folder is not None and not absent_parts(release, folder) for folder in found)
    return tuple(folder for folder in found if folder is not None) if whole else None


def is_present(release: Release, *, cache: Path | None = None) -> bool:
    """Whether a release can be loaded on this machine without a download."""
    if release.form == "embedded":
        return (EMBEDDED / "transformer" / "config.json").is_file()
    return snapshots(release, cache=cache) is not None


def locate(release: Release, weights: Path | None = None, *, cache: Path | None = None) -> WeightPlaces:
    """Return where every part of a release lies.

    Args:
        release: The release.
        weights: A transformer's file or folder, or a folder of the whole release; parts it does not hold come from the
            usual place.
        cache: Cache folder of ``huggingface_hub``; its own by default.

    Raises:
        MissingRelease: A part is not on this machine.
        CheckpointError: The file given is not a whole safetensors file.
    """
    if weights is not None and not weights.exists():
        raise MissingRelease(
            given=f"the weights {weights}",
            expected="a file or folder that exists",
            remedy="Check the path, or leave it out to use the fetched release.",
        )
    if weights is not None and weights.is_file():
        # Other parts may be absent too, but what is wrong with the file that was given comes first.
        from step1x_edit.models.checkpoint.safetensors_header import read_header

        read_header(weights)
    given = _parts_in(release, weights) if weights is not None else {}
    parts = given if given.keys() >= set(_PLACES) else {**_usual_parts(release, cache), **given}
    absent = sorted(set(_PLACES) - parts.keys())
    if absent:
        raise MissingRelease(
            given=f"the release {release.id}, of which this machine lacks: {', '.join(absent)}",
            expected=f"its weights in the cache of huggingface_hub, about {release.download_gib:.0f} GiB",
            remedy=f"Run `step1x fetch {release.id}`, or name the folder that holds them.",
        )
    return WeightPlaces(**parts)


def _usual_parts(release: Release, cache: Path | None) -> dict[str, Path]:
    if release.form == "embedded":
        return _parts_in(release, EMBEDDED)
    found = snapshots(release, cache=cache)
    if found is None:
        return {}
    parts = _parts_in(release, found[0])
    if release.mllm_repository is not None:
        parts |= {"text_encoder": found[1], "processor": found[1]}
    return parts


def _parts_in(release: Release, weights: Path) -> dict[str, Path]:
    """Return the parts a file or folder holds, by its form."""
    if weights.is_file() or any(weights.glob("diffusion_pytorch_model*.safetensors*")):
        return {"transformer": weights}
    parts = {part: weights / part for part in _FOLDER_PARTS if (weights / part).is_dir()}
    parts |= {part: weights / name for part, name in release.files.items() if (weights / name).is_file()}
    for name in _MLLM_FOLDERS:
        if (weights / name / "config.json").is_file():
            parts.setdefault("text_encoder", weights / name)
    for folder in (weights / "processor", weights / "tokenizer", parts.get("text_encoder")):
        if folder is not None and (folder / "tokenizer_config.json").is_file():
            return {**parts, "processor": folder}
    return parts


def snapshot(repository: Repository, cache: Path | None) -> Path | None:
    """Return a repository's folder in the cache, complete or not, or ``None``."""
    from huggingface_hub import try_to_load_from_cache

    landmark = try_to_load_from_cache(repository.id, repository.landmark, cache_dir=cache)
    return Path(landmark).parent if isinstance(landmark, str) else None


def absent_parts(release: Release, folder: Path) -> list[str]:
    """Return what a repository's folder lacks: single files, weights of a part, shards an index names."""
    if any((folder / part).is_dir() for part in _FOLDER_PARTS):
        return [part for part in _FOLDER_PARTS if not _has_weights(folder / part)]
    if any((folder / name).is_file() for name in release.files.values()):
        return [name for name in release.files.values() if not (folder / name).is_file()]
    return [] if _has_weights(folder) else ["weights"]


def _has_weights(folder: Path) -> bool:
    indices = list(folder.glob("*.safetensors.index.json"))
    if indices:
        return all((folder / shard).is_file() for index in indices for shard in _shard_names(index))
    return any(folder.glob("*.safetensors"))


def _shard_names(index: Path) -> Iterator[str]:
    yield from set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
