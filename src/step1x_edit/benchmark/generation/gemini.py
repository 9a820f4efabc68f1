"""Gemini's picture models → an editor, through Google's own client."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any

from PIL import Image

from step1x_edit.benchmark.cases.case import JudgeableCase
from step1x_edit.benchmark.generation.case_editor import NoPicture
from step1x_edit.benchmark.generation.services import RETRIES, Patience, decoded, png_bytes
from step1x_edit.errors import RequestError
from step1x_edit.experts.extras import optional_package

__all__ = ["GeminiEditor"]

_REFUSALS = {
    "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION", "MODEL_ARMOR", "NO_IMAGE",
}  # fmt: skip
"""Reasons for ending that are the model's or its filter's will (Gemini API, ``FinishReason``)."""
_NOBODY_CAN = {401, 403, 404}


class GeminiEditor:
    """Sends source and instruction to ``generateContent`` and takes the first picture of the answer.

    Args:
        model: Such as ``gemini-2.5-flash-image``.
        key: Key of the Gemini API.
        base_url: Another address than Google's, such as a gateway's.
        options: Further fields of the client's ``GenerateContentConfig``, such as ``temperature``.
        at_once: How many requests may be under way.
        seconds: Longest wait for one answer.
        first_wait: Seconds before the first further try; each next one waits twice as long.

    Raises:
        MissingExtra: The package google-genai is not installed.
        RequestError: There is no key, or an option is unknown.
    """

    seeded = False

    def __init__(
        self,
        *,
        model: str,
        key: str | None,
        base_url: str | None = None,
        options: Mapping[str, Any] | None = None,
        at_once: int = 4,
        seconds: float = 300.0,
        first_wait: float = 1.0,
    ) -> None:
        genai = optional_package("google.genai", extra="gemini")
        if not key:
            raise RequestError(
                given="Gemini without a key", expected="a key of the Gemini API", remedy="Set STEP1X_EDITOR_KEY to it."
            )
        self._types, self._errors = genai.types, genai.errors
        retries = self._types.HttpRetryOptions(attempts=RETRIES + 1, initial_delay=first_wait)
        http = self._types.HttpOptions(base_url=base_url, timeout=int(seconds * 1000), retry_options=retries)
        self._client = genai.Client(api_key=key, vertexai=False, http_options=http)
        self._config = self._configured(options or {})
        self._model = model
        self.name, self.at_once = model, at_once
        self.version = f"{model} {json.dumps(dict(options or {}), sort_keys=True)}"
        self._patience = Patience(model)

    def edit(self, case: JudgeableCase, source: Image.Image, *, seed: int) -> Image.Image | NoPicture:  # noqa: ARG002
        """Return the picture at the size the service gave it, its refusal, or what went wrong.

        Raises:
            ExpertError: Key or model are wrong, or too many cases failed in a row.
        """
        shown = self._types.Part.from_bytes(data=png_bytes(source), mime_type="image/png")
        try:
            answer = self._client.models.generate_content(
                model=self._model, contents=[shown, case.instruction], config=self._config
            )
        except self._errors.APIError as fault:
            told = f"HTTP {fault.code}: {fault.message}"
            if fault.code in _NOBODY_CAN:
                raise self._patience.unusable(told) from fault
            return self._patience.failed(told)
        except (ValueError, *_lost_connections()) as lost:
            # What is no JSON, such as an error page sent as success, comes through as json's own error.
            return self._patience.failed(f"{type(lost).__name__}: {lost}")
        return self._read(answer)

    def _configured(self, options: Mapping[str, Any]) -> Any:
        from pydantic import ValidationError

        try:
            return self._types.GenerateContentConfig(response_modalities=["TEXT", "IMAGE"], **options)
        except ValidationError as fault:
            raise RequestError(
                given=f"the options {json.dumps(dict(options))}",
                expected="fields of google-genai's GenerateContentConfig",
                remedy=f"Correct --option: {fault.errors()[0]['msg']}.",
            ) from fault

    def _read(self, answer: Any) -> Image.Image | NoPicture:
        blocked = answer.prompt_feedback.block_reason if answer.prompt_feedback else None
        candidate = answer.candidates[0] if answer.candidates else None
        parts = (candidate.content.parts if candidate and candidate.content else None) or []
        contents = [part.inline_data.data for part in parts if part.inline_data and part.inline_data.data]
        picture = decoded(contents[0]) if contents else None
        if picture is not None:
            self._patience.worked()
            return picture
        if contents:
            return self._patience.failed("a picture that cannot be decoded")
        words = " ".join(part.text for part in parts if part.text)
        reason = blocked or (candidate.finish_reason if candidate else None)
        told = ": ".join(one for one in (reason.value if reason else "", words) if one)
        # An answer in words alone is how these models decline.
        if blocked or words or (reason and reason.value in _REFUSALS):
            return self._patience.refused(told)
        return self._patience.failed(told or "an answer without a picture")


def _lost_connections() -> tuple[type[Exception], ...]:
    """Return what Google's client lets through of its HTTP library, which is either of two."""
    found: list[type[Exception]] = [OSError]
    for name in ("httpx", "httpx2"):
        with suppress(ImportError):
            found.append(import_module(name).HTTPError)
    return tuple(found)
