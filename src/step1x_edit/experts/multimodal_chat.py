"""Asks a multimodal LLM about pictures, over an OpenAI-compatible chat address.

The report asks step-1o and GPT-4o; any server that speaks the same protocol will do, one on the same machine included.
Nothing is asked by default: address and model are always given.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from io import BytesIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from step1x_edit.errors import ExpertError
from step1x_edit.experts.answers import PartVersion
from step1x_edit.experts.extras import optional_package

__all__ = ["MultimodalChat"]

RETRIES = 3
"""Further tries after a lost connection, a time-out or an overloaded server; each waits about twice as long."""
NO_KEY = "none"
"""Sent where no key is given: servers of one's own take any."""


class MultimodalChat:
    """The asking expert.

    Args:
        base_url: Address up to and with the version, such as ``http://localhost:8000/v1``.
        model: Name of the model at that address.
        key: What the server knows the caller by; open for servers that ask for none.
        seconds: Longest wait for one answer.
        temperature: 0 asks for the likeliest answer, the same each time; open leaves it to the server, as some models demand.

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
    ) -> None:
        self._openai = optional_package("openai")
        self._client = self._openai.OpenAI(
            base_url=base_url, api_key=key or NO_KEY, max_retries=RETRIES, timeout=seconds
        )
        self._base_url, self._model = base_url, model
        self._temperature = self._openai.omit if temperature is None else temperature

    @property
    def part(self) -> PartVersion:
        """Which model answers."""
        return PartVersion(part=self._model, version=self._base_url, licence="unknown")

    def ask(self, question: str, pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]] = ()) -> str:
        """Return the answer to a question about pictures, shown before it in their order.

        Raises:
            ExpertError: The server cannot be reached, refuses, or answers without text.
        """
        content = [*map(_picture, pictures), {"type": "text", "text": question}]
        try:
            answer = self._client.chat.completions.create(
                model=self._model, messages=[{"role": "user", "content": content}], temperature=self._temperature
            )
        except self._openai.APIStatusError as refused:
            raise self._failed(f"status {refused.status_code}, {refused.message[:300]}") from refused
        except self._openai.APIError as lost:
            raise self._failed(f"{type(lost).__name__}, {lost.message[:300]}") from lost
        # What is not JSON, such as an error page sent as success, comes back as a plain string.
        choices = getattr(answer, "choices", None)
        text = choices[0].message.content if choices else None
        if not text or not text.strip():
            raise self._failed("an answer without text")
        return text.strip()

    def _failed(self, what: str) -> ExpertError:
        return ExpertError(
            given=f"{self._model} at {self._base_url}: {what}",
            expected="an answer in words",
            remedy="See whether address, model and key are right and the server is up, then start again.",
        )


def _picture(pixels: UInt8[np.ndarray, "height width 3"]) -> dict[str, object]:
    """Write a picture into the message itself, as PNG in a data URL."""
    content = BytesIO()
    Image.fromarray(pixels).save(content, format="PNG")
    coded = base64.b64encode(content.getvalue()).decode("ascii")
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{coded}"}}
