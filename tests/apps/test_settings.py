"""Settings come from the environment and nowhere else."""

import pytest

from step1x_edit.apps.settings import read_settings
from step1x_edit.errors import RequestError


def test_an_empty_environment_leaves_everything_open():
    settings = read_settings({})
    assert (settings.device, settings.threads) == (None, None)


def test_variables_are_read():
    settings = read_settings({"STEP1X_DEVICE": "cpu", "STEP1X_THREADS": "3"})
    assert (settings.device, settings.threads) == ("cpu", 3)


@pytest.mark.parametrize("threads", ["0", "-1", "many", "2.5"])
def test_threads_that_are_no_number_are_refused(threads):
    with pytest.raises(RequestError, match=f"STEP1X_THREADS={threads}"):
        read_settings({"STEP1X_THREADS": threads})


def test_an_address_and_a_model_name_the_llm_to_ask_and_the_key_is_never_shown():
    settings = read_settings({"STEP1X_ASK_URL": "http://a/v1", "STEP1X_ASK_MODEL": "m", "STEP1X_ASK_KEY": "secret"})
    assert (settings.ask_url, settings.ask_model, settings.ask_key) == ("http://a/v1", "m", "secret")
    assert "secret" not in repr(settings)


@pytest.mark.parametrize("given", [{"STEP1X_ASK_URL": "http://a/v1"}, {"STEP1X_ASK_MODEL": "m"}])
def test_an_address_without_a_model_is_refused_and_the_reverse(given):
    with pytest.raises(RequestError, match="STEP1X_ASK_URL"):
        read_settings(given)
