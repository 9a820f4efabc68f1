"""Asks a multimodal LLM about pictures, over an OpenAI-compatible chat address.

The report asks step-1o and GPT-4o; any server that speaks the same protocol will do, one on the same machine included.
Nothing is asked by default: address and model are always given.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from step1x_edit.errors import ExpertError
from step1x_edit.experts.answers import PartVersion
from step1x_edit.experts.extras import optional_package

__all__ = ["ChatFailure", "MultimodalChat", "PictureForm", "Reply"]

PictureForm = Literal["jpeg", "png"]

RETRIES = 3
"""Further tries after a lost connection, a time-out or an overloaded server; each waits about twice as long."""
NO_KEY = "none"
"""Sent where no key is given: servers of one's own take any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back for a question."""

    text: str
    """The answer as it came; empty where there is none."""
    refusal: str = ""
    """The service's words where it refuses to answer."""
    cut: bool = False
    """Whether the answer ran into the longest that was allowed."""


class ChatFailure(ExpertError):
    """The service gave no reply at all."""

    status: int | None = None
    """HTTP status; None where no answer came: a time-out, a lost connection."""
    words: str = ""
    """Kind of the failure and the service's own words, in one line."""
    blocked: bool = False
    """Whether a filter of the service stopped the question."""
    wait_seconds: float | None = None
    """How long the service asks to wait before the next try."""


class MultimodalChat:
    """The asking expert.

    Args:
        base_url: Address up to and with the version, such as ``http://localhost:8000/v1``.
        model: Name of the model at that address.
        key: What the server knows the caller by; open for servers that ask for none.
        seconds: Longest wait for one answer.
        temperature: 0 asks for the likeliest answer, the same each time; open leaves it to the server, as some models demand.
        text_first: The question stands before the pictures, not after them.
        picture_form: How pictures travel; JPEG at Pillow's own quality, 75.
        max_tokens: Longest answer; open leaves it to the server.
        seed: Of the server's draws, where it has such a thing.
        answer_schema: JSON schema of the answer, for servers with structured answers.
        retries: Further tries after a lost connection, a time-out or an overloaded server.

    Raises:
        MissingExtra: The package openai is not installed.
    """

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        key: str | None = None,
        seconds: float = 120.0,
        temperature: float | None = 0.0,
        text_first: bool = False,
        picture_form: PictureForm = "png",
        max_tokens: int | None = None,
        seed: int | None = None,
        answer_schema: Mapping[str, object] | None = None,
        retries: int = RETRIES,
    ) -> None:
        self._openai = optional_package("openai")
        self._client = self._openai.OpenAI(
            base_url=base_url, api_key=key or NO_KEY, max_retries=retries, timeout=seconds
        )
        self._base_url, self._model = base_url, model
        self._text_first = text_first
        self._picture_form: PictureForm = picture_form
        wishes = {"temperature": temperature, "max_tokens": max_tokens, "seed": seed}
        self._options: dict[str, Any] = {name: wish for name, wish in wishes.items() if wish is not None}
        if answer_schema is not None:
            form = {"name": "answer", "strict": True, "schema": dict(answer_schema)}
            self._options["response_format"] = {"type": "json_schema", "json_schema": form}

    @property
    def part(self) -> PartVersion:
        """Which model answers."""
        return PartVersion(part=self._model, version=self._base_url, licence="unknown")

    def ask(self, question: str, pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]] = ()) -> str:
        """Return the answer to a question about pictures, shown in their order.

        Raises:
            ExpertError: The server cannot be reached, refuses, or answers without text.
        """
        text = self.reply(question, pictures).text.strip()
        if not text:
            raise self._failed("an answer without text")
        return text

    def reply(self, question: str, pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]] = ()) -> Reply:
        """Return whatever came back for a question about pictures, an empty answer or a refusal too.

        Raises:
            ChatFailure: Nothing came back.
        """
        try:
            answer = self._client.chat.completions.create(
                model=self._model, messages=[self._message(question, pictures)], **self._options
            )
        except self._openai.APIStatusError as refused:
            raise self._failed(
                f"status {refused.status_code}, {refused.message[:300]}",
                status=refused.status_code,
                blocked=refused.code == "content_filter",
                wait_seconds=_wait_seconds(refused.response.headers),
            ) from refused
        except self._openai.APIError as lost:
            raise self._failed(f"{type(lost).__name__}, {lost.message[:300]}") from lost
        return _reply(answer)

    def _message(self, question: str, pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> Any:
        shown = [_picture(pixels, self._picture_form) for pixels in pictures]
        text = {"type": "text", "text": question}
        return {"role": "user", "content": [text, *shown] if self._text_first else [*shown, text]}

    def _failed(
        self, what: str, *, status: int | None = None, blocked: bool = False, wait_seconds: float | None = None
    ) -> ChatFailure:
        failure = ChatFailure(
            given=f"{self._model} at {self._base_url}: {what}",
            expected="an answer in words",
            remedy="See whether address, model and key are right and the server is up, then start again.",
        )
        failure.status, failure.words = status, " ".join(what.split())
        failure.blocked, failure.wait_seconds = blocked, wait_seconds
        return failure


def _reply(answer: Any) -> Reply:
    # What is not JSON, such as an error page sent as success, comes back as a plain string.
    choices = getattr(answer, "choices", None)
    if not choices:
        return Reply(text="")
    message, end = choices[0].message, choices[0].finish_reason
    refusal = getattr(message, "refusal", None) or ("content filter" if end == "content_filter" else "")
    return Reply(text=message.content or "", refusal=refusal, cut=end == "length")


def _wait_seconds(headers: Mapping[str, str]) -> float | None:
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit)
        except (KeyError, ValueError):  # ``retry-after`` may be a date, which few services send.
            continue
    return None


def _picture(pixels: UInt8[np.ndarray, "height width 3"], form: PictureForm) -> dict[str, object]:
    """Write a picture into the message itself, in a data URL."""
    content = BytesIO()
    Image.fromarray(pixels).save(content, format=form.upper())
    coded = base64.b64encode(content.getvalue()).decode("ascii")
    return {"type": "image_url", "image_url": {"url": f"data:image/{form};base64,{coded}"}}
