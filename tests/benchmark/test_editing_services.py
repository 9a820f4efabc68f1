"""Services that cannot be reached, or that must not be: no traceback, and nothing sent by accident."""

from __future__ import annotations

import socket

import pytest
from loopback_images import loopback_images
from PIL import Image

from step1x_edit.benchmark.cases.case import JudgeableCase
from step1x_edit.benchmark.generation.case_editor import NoPicture
from step1x_edit.benchmark.generation.gemini import GeminiEditor
from step1x_edit.benchmark.generation.images_endpoint import ImagesEndpoint
from step1x_edit.errors import RequestError
from step1x_edit.schema.judged import CaseId
from step1x_edit.schema.tasks import EditTask

SOURCE = Image.new("RGB", (32, 32), (10, 20, 30))
CASE = JudgeableCase(
    id=CaseId(task=EditTask.STYLE_TRANSFER, language="en", key="0"),
    instruction="Paint it.",
    intersection=True,
    open_source=lambda: SOURCE,
)


def gemini_at(address: str) -> GeminiEditor:
    pytest.importorskip("google.genai", reason="needs the extra `gemini`")
    return GeminiEditor(model="g", key="secret", base_url=address, first_wait=0.01)


def test_gemini_behind_a_closed_port_is_a_failure_of_the_case() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    answer = gemini_at(address).edit(CASE, SOURCE, seed=0)
    assert isinstance(answer, NoPicture)
    assert answer.outcome == "failed"
    assert "ConnectError" in answer.reason


def test_an_error_page_in_place_of_geminis_answer_is_a_failure_of_the_case() -> None:
    with loopback_images() as server:
        server.answer = lambda asked: (200, b"<html>an error page</html>")
        answer = gemini_at(server.address).edit(CASE, SOURCE, seed=0)
    assert isinstance(answer, NoPicture)
    assert answer.outcome == "failed"


def test_nothing_is_sent_to_openai_without_an_address_or_a_key() -> None:
    pytest.importorskip("openai", reason="needs the extra `bench`")
    with pytest.raises(RequestError, match="without an address or a key"):
        ImagesEndpoint(model="gpt-image-1")


def test_a_password_in_the_address_is_not_written_beside_the_pictures() -> None:
    pytest.importorskip("openai", reason="needs the extra `bench`")
    version = ImagesEndpoint(model="m", base_url="http://me:hidden@127.0.0.1:1/v1").version
    assert "127.0.0.1:1/v1" in version
    assert "hidden" not in version
