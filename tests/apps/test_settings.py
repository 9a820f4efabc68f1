"""Settings come from the environment and nowhere else."""

from pathlib import Path

import pytest

from step1x_edit.apps.settings import read_settings
from step1x_edit.errors import RequestError


def test_an_empty_environment_leaves_everything_open():
    settings = read_settings({})
    assert settings.cache == Path.home() / ".cache" / "step1x-edit"
    assert (settings.device, settings.threads) == (None, None)


def test_variables_are_read():
    settings = read_settings({"STEP1X_CACHE": "/big/disk", "STEP1X_DEVICE": "cpu", "STEP1X_THREADS": "3"})
    assert (settings.cache, settings.device, settings.threads) == (Path("/big/disk"), "cpu", 3)
    assert read_settings({"XDG_CACHE_HOME": "/caches"}).cache == Path("/caches/step1x-edit")


@pytest.mark.parametrize("threads", ["0", "-1", "many", "2.5"])
def test_threads_that_are_no_number_are_refused(threads):
    with pytest.raises(RequestError, match=f"STEP1X_THREADS={threads}"):
        read_settings({"STEP1X_THREADS": threads})
