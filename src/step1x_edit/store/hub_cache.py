"""Data sets that lie in the cache of the hub already. Nothing is downloaded."""

from __future__ import annotations

from pathlib import Path

__all__ = ["cached_data_set"]


def cached_data_set(name: str) -> Path | None:
    """Return the folder of a data set in the hub cache, or None where it is not there or cannot be a name of one."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, repo_type="dataset", local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None
