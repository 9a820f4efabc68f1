"""An OpenAI-compatible images address (GPT-image, a server of one's own) → an editor."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from PIL import Image

from step1x_edit.benchmark.cases.case import JudgeableCase
from step1x_edit.benchmark.generation.case_editor import NoPicture
from step1x_edit.benchmark.generation.services import RETRIES, Patience, decoded, png_bytes
from step1x_edit.errors import RequestError
from step1x_edit.experts.extras import optional_package

__all__ = ["ImagesEndpoint"]

NO_KEY = "none"
"""Sent where no key is given: servers of one's own take any."""
_REFUSAL_CODES = {"moderation_blocked", "content_policy_violation", "content_filter"}
_REFUSAL_WORDS = ("safety system", "content policy", "content management policy")
_NOBODY_CAN = {401, 403, 404}
"""Statuses of a wrong key, model or address: every further case would end alike."""


class ImagesEndpoint:
    """Sends source and instruction to ``/images/edits``.

    Args:
        base_url: Address up to and with the version, such as ``http://localhost:8000/v1``; open means OpenAI's own.
        model: Name of the model at that address.
        key: What the service knows the caller by; open for servers that ask for none.
        options: Further fields of the request, such as ``quality`` or ``size``.
        at_once: How many requests may be under way.
        seconds: Longest wait for one answer.

    Raises:
        MissingExtra: The package openai is not installed.
        RequestError: There is neither an address nor a key: nothing is sent to OpenAI by accident.
    """

    seeded = False

    def __init__(
        self,
        *,
        model: str,
        base_url: str | None = None,
        key: str | None = None,
        options: Mapping[str, Any] | None = None,
        at_once: int = 4,
        seconds: float = 300.0,
    ) -> None:
        self._openai = optional_package("openai", extra="bench")
        if base_url is None and not key:
            raise RequestError(
                given=f"images:{model} without an address or a key",
                expected="the address of a service, or a key of OpenAI's",
                remedy="Name the address with --url, or set STEP1X_EDITOR_KEY.",
            )
        self._client = self._openai.OpenAI(
            base_url=base_url, api_key=key or NO_KEY, max_retries=RETRIES, timeout=seconds
        )
        self._model, self._options = model, dict(options or {})
        self.name, self.at_once = model, at_once
        # A name and a password in the address are nobody's business: this is written beside the pictures.
        place = self._client.base_url.copy_with(userinfo=b"")
        self.version = f"{model} at {place} {json.dumps(self._options, sort_keys=True)}"
        self._patience = Patience(f"{model} at {place}")

    def edit(self, case: JudgeableCase, source: Image.Image, *, seed: int) -> Image.Image | NoPicture:  # noqa: ARG002
        """Return the picture at the size the service gave it, its refusal, or what went wrong.

        Raises:
            ExpertError: Key, model or address are wrong, or too many cases failed in a row.
        """
        try:
            answer = self._client.images.edit(
                model=self._model,
                image=("source.png", png_bytes(source), "image/png"),
                prompt=case.instruction,
                extra_body=self._options or None,
            )
        except self._openai.APIStatusError as refused:
            return self._unserved(refused)
        except self._openai.APIError as lost:
            return self._patience.failed(f"{type(lost).__name__}: {lost.message}")
        picture = _picture(answer)
        if picture is None:
            return self._patience.failed("an answer without a picture")
        self._patience.worked()
        return picture

    def _unserved(self, fault: Any) -> NoPicture:
        body = fault.body if isinstance(fault.body, dict) else {}
        words = str(body.get("message") or fault.message)
        told = f"HTTP {fault.status_code}: {words}"
        if fault.code in _REFUSAL_CODES or any(sign in words.lower() for sign in _REFUSAL_WORDS):
            return self._patience.refused(words)
        if fault.status_code in _NOBODY_CAN:
            raise self._patience.unusable(told)
        return self._patience.failed(told)


def _picture(answer: Any) -> Image.Image | None:
    # What is not JSON, such as an error page sent as success, comes back as a plain string.
    data = getattr(answer, "data", None)
    coded = data[0].b64_json if data else None
    try:
        return decoded(base64.b64decode(coded, validate=True)) if coded else None
    except binascii.Error:
        return None
