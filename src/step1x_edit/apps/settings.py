"""What the environment says; the only place that reads it. Where weights lie is settled by ``huggingface_hub``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from step1x_edit.errors import RequestError

__all__ = ["Settings", "read_settings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of this machine; an option on the command line wins over each of them."""

    device: str | None
    """``STEP1X_DEVICE``: such as ``cpu``, ``cuda`` or ``mps``; open means the best one present."""
    threads: int | None
    """``STEP1X_THREADS``: processor threads; open means torch's own choice."""
    parts: Path | None = None
    """``STEP1X_PARTS``: folder of the experts' part files; open means the user's cache folder."""
    ask_url: str | None = None
    """``STEP1X_ASK_URL``: OpenAI-compatible address of a multimodal LLM; open means that none is asked."""
    ask_model: str | None = None
    """``STEP1X_ASK_MODEL``: name of the model at that address."""
    ask_key: str | None = field(default=None, repr=False)
    """``STEP1X_ASK_KEY``: what the server knows the caller by; open for servers that ask for none."""
    editor_key: str | None = field(default=None, repr=False)
    """``STEP1X_EDITOR_KEY``: key of the service whose edits are measured (`bench run`); open for servers that ask for none."""


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from environment variables.

    Args:
        environment: Names and values; the process's own by default.

    Raises:
        RequestError: A number is not a number, or of an LLM's address and model only one is given.
    """
    environment = os.environ if environment is None else environment
    ask_url, ask_model = environment.get("STEP1X_ASK_URL") or None, environment.get("STEP1X_ASK_MODEL") or None
    if (ask_url is None) != (ask_model is None):
        raise RequestError(
            given=f"STEP1X_ASK_URL={ask_url or ''} and STEP1X_ASK_MODEL={ask_model or ''}",
            expected="both, or neither",
            remedy="Set or unset the other variable too.",
        )
    return Settings(
        device=environment.get("STEP1X_DEVICE") or None,
        threads=_threads(environment.get("STEP1X_THREADS", "")),
        parts=Path(environment["STEP1X_PARTS"]) if environment.get("STEP1X_PARTS") else None,
        ask_url=ask_url,
        ask_model=ask_model,
        ask_key=environment.get("STEP1X_ASK_KEY") or None,
        editor_key=environment.get("STEP1X_EDITOR_KEY") or None,
    )


def _threads(text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise RequestError(
            given=f"STEP1X_THREADS={text}", expected="a number from 1 up", remedy="Correct or unset the variable."
        )
    return int(text)
