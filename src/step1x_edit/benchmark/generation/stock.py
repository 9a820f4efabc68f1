"""Stock diffusers pipelines by name → editors. Weights are read from this machine, never downloaded."""

from __future__ import annotations

import inspect
import json
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from step1x_edit.benchmark.cases.case import JudgeableCase
from step1x_edit.benchmark.generation.case_editor import NoPicture
from step1x_edit.errors import MissingRelease, RequestError

__all__ = ["StockEditor", "StockPipeline", "stock_pipelines"]


class StockPipeline(BaseModel):
    """How a pipeline is called."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    class_name: str = Field(alias="class")
    repository: str
    picture: str
    """Argument that takes the source."""
    several: bool
    """Whether that argument takes a list."""
    own_size: bool
    """Whether width and height are told."""
    words: str = "{instruction}"
    """What is said; some models want the picture's place in it."""
    settings: dict[str, Any]


@cache
def stock_pipelines() -> dict[str, StockPipeline]:
    """Return the pipelines that can be named, by name."""
    table = tomllib.loads(Path(__file__).with_name("stock.toml").read_text(encoding="utf-8"))
    return {name: StockPipeline.model_validate(fields) for name, fields in table.items()}


class StockEditor:
    """A stock pipeline.

    Args:
        name: One of :func:`stock_pipelines`.
        weights: Folder of the weights; open means the hub cache.
        device: Such as cpu or cuda; open means the fastest at hand.
        dtype: bfloat16, float16 or float32; open means bfloat16, or float32 on processors that only emulate it.
        options: Arguments of the call that replace or add to the usual ones.

    Raises:
        MissingRelease: The weights are not on this machine.
        RequestError: An option or the device is unknown.
    """

    seeded = True
    at_once = 1

    def __init__(
        self,
        name: str,
        *,
        weights: Path | None = None,
        device: str | None = None,
        dtype: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        import diffusers

        self._how = stock_pipelines()[name]
        kind = getattr(diffusers, self._how.class_name)
        self._settings = {**self._how.settings, **_checked(options or {}, kind, self._how)}
        self._pipeline = _loaded(kind, self._how, weights, device, dtype)
        self._pipeline.set_progress_bar_config(disable=True)
        self.name = name
        source = weights.name if weights else self._how.repository
        precision = str(self._pipeline.dtype).removeprefix("torch.")
        settings = json.dumps(self._settings, sort_keys=True)
        self.version = f"diffusers {diffusers.__version__} {source} {precision} {settings}"

    def edit(self, case: JudgeableCase, source: Image.Image, *, seed: int) -> Image.Image | NoPicture:
        """Return the picture at the pipeline's size; a filter that blackens pictures counts as a refusal."""
        import torch

        size = {"width": source.width, "height": source.height} if self._how.own_size else {}
        answer = self._pipeline(
            prompt=self._how.words.format(instruction=case.instruction),
            generator=torch.Generator().manual_seed(seed),
            **{self._how.picture: [source] if self._how.several else source},
            **size,
            **self._settings,
        )
        if any(getattr(answer, "nsfw_content_detected", None) or ()):
            return NoPicture(outcome="refused", reason="the pipeline's safety checker blackened the picture")
        return answer.images[0]


def _checked(options: Mapping[str, Any], kind: type, how: StockPipeline) -> Mapping[str, Any]:
    """Return the options after a look that the call takes them and that they do not speak for the case."""
    taken = set(inspect.signature(kind.__call__).parameters) - {
        "self", "prompt", "generator", how.picture, "output_type", "return_dict", "num_images_per_prompt",
    }  # fmt: skip
    unknown = sorted(options.keys() - taken)
    if unknown:
        raise RequestError(
            given=f"the option {', '.join(unknown)}",
            expected=f"arguments of {kind.__name__}: {', '.join(sorted(taken))}",
            remedy="Correct --option.",
        )
    return options


def _loaded(kind: Any, how: StockPipeline, weights: Path | None, device: str | None, dtype: str | None) -> Any:
    from step1x_edit.pipeline.editor import choose_device, choose_dtype

    chosen = choose_device(device)
    precision = choose_dtype(dtype, chosen, embedded=True)
    place = str(weights) if weights else how.repository
    try:
        # Only safetensors; a pickle is refused by the loader.
        pipeline = kind.from_pretrained(place, local_files_only=True, use_safetensors=True, dtype=precision)
    except OSError as absent:
        raise MissingRelease(
            given=f"no weights of {kind.__name__} at {place} ({' '.join(str(absent).split())[:200]})",
            expected="a diffusers folder in safetensors on this machine",
            remedy=f"Fetch them with `hf download {how.repository}`, or name their folder with --weights.",
        ) from absent
    return pipeline.to(chosen)
