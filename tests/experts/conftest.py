"""Experts are tested with clients that know nothing but the loopback interface, and with real parts where present."""

from __future__ import annotations

from pathlib import Path

import pytest

from step1x_edit.experts.embedded import EmbeddedExperts


@pytest.fixture
def only_loopback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Settings of pip and npm as on a fresh machine, with a home of its own."""
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_CONSTRAINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm-cache"))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture(scope="session")
def experts() -> EmbeddedExperts:
    return EmbeddedExperts()
