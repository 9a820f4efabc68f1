"""A multimodal LLM is asked over a real connection to a small server on this machine."""

import base64
from collections.abc import Iterator
from io import BytesIO

import numpy as np
import pytest
from loopback_chat import LoopbackChat, loopback_chat, spoken
from PIL import Image

from step1x_edit.errors import ExpertError
from step1x_edit.experts.multimodal_chat import MultimodalChat

pytest.importorskip("openai", reason="the package openai (extra `data`) is not installed")


@pytest.fixture
def server() -> Iterator[LoopbackChat]:
    with loopback_chat() as running:
        yield running


def test_question_and_pictures_arrive_as_they_were_and_the_answer_comes_back(server):
    server.answers = [(200, spoken(" A cat.\n"))]
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    chat = MultimodalChat(base_url=server.url, model="m", key="k")
    assert chat.ask("What is it?", [picture, 255 - picture]) == "A cat."
    (path, key, body) = server.received[0]
    assert (path, key, body["model"], body["temperature"]) == ("/v1/chat/completions", "Bearer k", "m", 0.0)
    *sent, question = body["messages"][0]["content"]
    assert question == {"type": "text", "text": "What is it?"}
    for part, pixels in zip(sent, [picture, 255 - picture], strict=True):
        head, coded = part["image_url"]["url"].split(",")
        assert head == "data:image/png;base64"
        assert np.array_equal(np.asarray(Image.open(BytesIO(base64.b64decode(coded)))), pixels)


def test_an_overloaded_server_is_asked_again(server):
    server.answers = [(503, {}), (429, {}), (200, spoken("yes"))]
    assert MultimodalChat(base_url=server.url, model="m").ask("Is it?") == "yes"
    assert len(server.received) == 3


def test_after_three_further_tries_the_failure_is_told(server):
    server.answers = [(500, {"error": {"message": "no memory"}})] * 9
    with pytest.raises(ExpertError, match="status 500"):
        MultimodalChat(base_url=server.url, model="m").ask("Is it?")
    assert len(server.received) == 4


def test_a_refusal_is_told_at_once(server):
    server.answers = [(401, {"error": {"message": "wrong key"}})]
    with pytest.raises(ExpertError, match="wrong key"):
        MultimodalChat(base_url=server.url, model="m").ask("Is it?")
    assert len(server.received) == 1


@pytest.mark.parametrize(
    "answer", [spoken(None), spoken("  "), spoken("x") | {"choices": []}, b"<html>hello</html>", {}]
)
def test_an_answer_without_text_is_a_failure(server, answer):
    server.answers = [(200, answer)]
    with pytest.raises(ExpertError, match="without text"):
        MultimodalChat(base_url=server.url, model="m").ask("Is it?")


def test_the_temperature_can_be_left_to_the_server(server):
    server.answers = [(200, spoken("yes"))]
    MultimodalChat(base_url=server.url, model="m", temperature=None).ask("Is it?")
    assert "temperature" not in server.received[0][2]


def test_an_address_where_nobody_answers_is_named():
    with loopback_chat() as gone:
        url = gone.url
    with pytest.raises(ExpertError, match=url):
        MultimodalChat(base_url=url, model="m", seconds=5).ask("Is it?")
