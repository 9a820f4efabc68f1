"""Judges: who answers a question about pictures, and the settings that decide its answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Protocol, runtime_checkable
from urllib.parse import urlsplit

import numpy as np
from jaxtyping import UInt8

from step1x_edit.benchmark.judging.prompts import JudgePrompts
from step1x_edit.errors import RequestError
from step1x_edit.experts.extras import optional_package
from step1x_edit.experts.multimodal_chat import MultimodalChat, PictureForm, Reply
from step1x_edit.schema.judged import JudgeSettings

__all__ = ["PROTOCOLS", "Answering", "BackEnd", "Judge", "chat_judge", "local_judge", "protocol_of"]

BackEnd = Literal["gpt4o", "qwen25vl"]
"""How a question is put, under the names of the released back-ends."""
ANSWER_SCHEMA = {
    "type": "object",
    "properties": {
        "reasoning": {"type": "string"},
        "score": {"type": "array", "items": {"type": "integer"}},
    },
    "required": ["reasoning", "score"],
    "additionalProperties": False,
}
"""Length and range are not in it, since services differ in what they support; the reader checks both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolRules:
    """What the released scorer does for a kind of judge."""

    text_first: bool
    picture_form: PictureForm
    temperature: float | None
    max_tokens: int
    seed: int | None


PROTOCOLS = MappingProxyType(
    {
        "gpt4o": ProtocolRules(text_first=True, picture_form="jpeg", temperature=None, max_tokens=1400, seed=None),
        "qwen25vl": ProtocolRules(text_first=False, picture_form="png", temperature=0.0, max_tokens=512, seed=42),
    }
)
"""Order, encoding and decoding of the two released back-ends. Source: stepfun-ai/Step1X-Edit, folder GEdit-Bench."""


@runtime_checkable
class Answering(Protocol):
    """Something that is asked about pictures."""

    def reply(self, question: str, pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]] = ()) -> Reply:
        """Return what came back.

        Raises:
            ChatFailure: Nothing came back.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Who judges, and how it is asked."""

    settings: JudgeSettings
    prompts: JudgePrompts
    answering: Answering
    varies: bool
    """Whether the same question may get another answer; if not, an unreadable one is not asked for again."""
    at_most_at_once: int | None = None
    """Questions it can be asked at a time; open where the service decides."""


def protocol_of(model: str) -> BackEnd:
    """Return how a model is asked if nothing else is said: Qwen's its own way, all others as GPT-4.1."""
    return "qwen25vl" if "qwen" in model.lower() else "gpt4o"


def chat_judge(
    *,
    base_url: str,
    model: str,
    key: str | None = None,
    prompts: JudgePrompts,
    protocol: BackEnd | None = None,
    structured: bool | None = None,
    temperature: float | None = None,
    max_tokens: int | None = None,
    seed: int | None = None,
    seconds: float = 120.0,
) -> Judge:
    """Return a judge behind an OpenAI-compatible chat address.

    Args:
        base_url: Address up to and with the version.
        model: Its name there; a dated snapshot where there is one.
        key: What the service knows the caller by.
        prompts: Both questions.
        protocol: Order, encoding and decoding; by the model's name if open.
        structured: Hold answers to a JSON schema; if open, only with our own prompts: the published ones are asked without.
        temperature: Over the protocol's.
        max_tokens: Over the protocol's.
        seed: Over the protocol's.
        seconds: Longest wait for one answer.

    Raises:
        MissingExtra: The package openai is not installed.
        RequestError: The address is none.
    """
    optional_package("openai", extra="bench")
    rules = PROTOCOLS[protocol or protocol_of(model)]
    settings = JudgeSettings(
        backend="openai",
        model=model,
        service=_host(base_url),
        prompt_sha256=prompts.sha256,
        own_prompts=prompts.own,
        text_first=rules.text_first,
        structured=prompts.own if structured is None else structured,
        picture_form=rules.picture_form,
        temperature=rules.temperature if temperature is None else temperature,
        max_tokens=max_tokens or rules.max_tokens,
        seed=rules.seed if seed is None else seed,
    )
    chat = MultimodalChat(
        base_url=base_url,
        model=model,
        key=key,
        seconds=seconds,
        temperature=settings.temperature,
        text_first=settings.text_first,
        picture_form=settings.picture_form,
        max_tokens=settings.max_tokens,
        seed=settings.seed,
        answer_schema=ANSWER_SCHEMA if settings.structured else None,
        retries=0,  # Each try is counted and kept by who asks.
    )
    return Judge(settings=settings, prompts=prompts, answering=chat, varies=True)


def local_judge(folder: Path, *, prompts: JudgePrompts, device: str | None = None, dtype: str | None = None) -> Judge:
    """Return a judge of Qwen2.5-VL's family that transformers runs on this machine; nothing is downloaded.

    Args:
        folder: The model as transformers saves it.
        prompts: Both questions.
        device: Such as cpu or cuda; the best one present by default.
        dtype: bfloat16, float16 or float32; by default float16 on a card, float32 on a processor.

    Raises:
        RequestError: The folder holds no such model, or the device cannot be had.
    """
    from step1x_edit.experts.local_chat import LocalChat

    rules = PROTOCOLS["qwen25vl"]
    chat = LocalChat(folder, device=device, dtype=dtype, max_tokens=rules.max_tokens)
    settings = JudgeSettings(
        backend="transformers",
        model=f"{folder.resolve().name} {chat.fingerprint} {chat.dtype}",
        prompt_sha256=prompts.sha256,
        own_prompts=prompts.own,
        text_first=False,
        picture_form="png",
        temperature=0.0,
        max_tokens=rules.max_tokens,
    )
    return Judge(settings=settings, prompts=prompts, answering=chat, varies=False, at_most_at_once=1)


def _host(base_url: str) -> str:
    address = urlsplit(base_url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise RequestError(
            given=f"the address {base_url!r}",
            expected="one that begins with http:// or https://",
            remedy="Give the judge's address up to /v1, such as https://api.openai.com/v1.",
        )
    return address.hostname
