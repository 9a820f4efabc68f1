"""The conditioner: reference image and instruction become conditioning (paper section 3, first step of Fig. 4).

One pass of the multimodal LLM over picture and sentence; no text is generated. The hidden states of the fixed prefix are
dropped, those of picture and instruction kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from step1x_edit.errors import RequestError
from step1x_edit.models.quotes import Piece, flagged_pieces, wrapped_pieces
from step1x_edit.sampling.positions import mllm_text_positions, zero_positions
from step1x_edit.sampling.resolution import rounded_mllm_size
from step1x_edit.schema.release import Conventions

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, Qwen2_5_VLForConditionalGeneration

__all__ = ["Conditioner", "Conditioning", "PromptTokens"]

_FREE_EXCLAMATION_MARK = 0
"""Token id of "!" in Qwen's vocabulary; the released code takes id 0 for padding."""

_PICTURE_PLACES = ("<|image_pad|>", "<|video_pad|>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditioning:
    """What the transformer is told about one instruction and its picture."""

    tokens: Float[Tensor, "1 tokens hidden"]
    """Last hidden states after the final norm, from the prefix's last token on."""
    mask: Int[Tensor, "1 tokens"]
    positions: Float[Tensor, "tokens 3"]
    """Rotary ids of the tokens."""
    text_embeddings: Float[Tensor, "1 tokens hidden"] | None = None
    """Input embeddings of the same tokens (v1.2)."""
    text_mask: Int[Tensor, "1 tokens"] | None = None
    """1 where a token is quoted text (v1.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptTokens:
    """A rendered prompt as token ids, the picture's tokens in place."""

    ids: list[int]
    quoted: list[int]
    """1 for tokens of quoted characters."""


class Conditioner:
    """Read picture and instruction with the multimodal LLM in the way a release's weights expect.

    Args:
        model: Qwen2.5-VL; only its own ``forward`` is called, so offloading hooks act.
        tokenizer: Its tokenizer.
        image_processor: Its image processor (the PIL form).
        conventions: The release's record.
        parity: Reproduce what the released code does by accident: apostrophes and unpaired quotes swallow text, and a
            free-standing "!" is taken for padding (v1.x: by the attention too).
        device: Where the model computes, if offloading keeps it elsewhere; its own device by default.
    """

    def __init__(
        self,
        model: Qwen2_5_VLForConditionalGeneration,
        tokenizer: PreTrainedTokenizerBase,
        image_processor: Any,
        conventions: Conventions,
        *,
        parity: bool = False,
        device: torch.device | None = None,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.image_processor = image_processor
        self.conventions = conventions
        self.parity = parity
        self.device = device or model.device

    @torch.no_grad()
    def __call__(
        self, image: Image.Image, instructions: Sequence[str], *, generation: tuple[int, int]
    ) -> list[Conditioning]:
        """Return the conditioning of each instruction about the same picture.

        The vision tower runs once, and so does the part of the text that all prompts begin with.

        Args:
            image: Reference image at generation size, RGB.
            instructions: Instructions, negative ones included.
            generation: Width and height of the generation in pixels.
        """
        pixels = self.pixels(image)
        grid = pixels["image_grid_thw"]
        prompts = [
            self.tokenize(instruction, picture_tokens=self._picture_tokens(grid)) for instruction in instructions
        ]
        reading = _SharedReading(self, prompts, pixels)
        return [self.conditioning(prompt, *reading.read(prompt), grid, generation) for prompt in prompts]

    def tokenize(self, instruction: str, *, picture_tokens: int) -> PromptTokens:
        """Render the prompt of an instruction and tokenise it piece by piece.

        Args:
            instruction: What the user asks.
            picture_tokens: Number of the picture's tokens in the LLM.

        Raises:
            RequestError: The instruction holds the place of a picture, of which there is one already.
        """
        _refuse_picture_places(instruction)
        ids, quoted = [], []
        for piece in self._pieces(instruction):
            piece_ids = self._piece_ids(piece, picture_tokens)
            ids.extend(piece_ids)
            quoted.extend([int(piece.quoted)] * len(piece_ids))
        return PromptTokens(ids=ids, quoted=quoted)

    def _pieces(self, instruction: str) -> list[Piece]:
        rules = self.conventions
        picture = f"{rules.vision_label}<|vision_start|>"
        if rules.layout == "image_first":
            before = f"{rules.chat_head}{rules.prefix}{picture}"
            after = f"<|vision_end|>{instruction}{rules.chat_tail}"
        else:
            before = f"{rules.chat_head}{rules.prefix} {instruction}{picture}"
            after = f"<|vision_end|>{rules.chat_tail}"
        pad = Piece("<|image_pad|>")
        if rules.quotes == "wrapped_characters":
            return [Piece(before), pad, *wrapped_pieces(after, released=self.parity)]
        if rules.quotes == "flagged_characters":
            return [*flagged_pieces(before, guard=rules.quote_guard), pad, Piece(after)]
        return [Piece(before), pad, Piece(after)]

    def _piece_ids(self, piece: Piece, picture_tokens: int) -> list[int]:
        ids = self.tokenizer(piece.text, add_special_tokens=False)["input_ids"]
        if piece.text == "<|image_pad|>":
            return ids * picture_tokens
        wrapped = len(ids) > 1 and self.conventions.quotes == "wrapped_characters"
        if wrapped and ids[0] == self._token("“") and ids[-1] == self._token("”"):
            return ids[1:-1]
        return ids

    def _token(self, text: str) -> int:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"][0]

    def pixels(self, image: Image.Image) -> dict[str, Tensor]:
        """Return the vision tower's input for a picture at generation size: ``pixel_values`` and ``image_grid_thw``."""
        if self.conventions.mllm_first_resize:
            image = image.resize(rounded_mllm_size(*image.size, patch_px=self._patch_px()))
        size = {"shortest_edge": self.conventions.mllm_min_pixels, "longest_edge": self.conventions.mllm_max_pixels}
        return dict(self.image_processor(images=[image], size=size, return_tensors="pt"))

    def _patch_px(self) -> int:
        return self.image_processor.patch_size * self.image_processor.merge_size

    def _picture_tokens(self, grid: Int[Tensor, "1 3"]) -> int:
        return int(grid.prod()) // self.image_processor.merge_size**2

    def conditioning(
        self,
        prompt: PromptTokens,
        hidden: Float[Tensor, "1 length hidden"],
        embeddings: Float[Tensor, "1 length hidden"],
        mllm_positions: Int[Tensor, "3 1 length"],
        grid: Int[Tensor, "1 3"],
        generation: tuple[int, int],
    ) -> Conditioning:
        """Return what is kept of a prompt that the LLM has read.

        Args:
            prompt: The whole prompt.
            hidden: Its last hidden states.
            embeddings: Its input embeddings.
            mllm_positions: Its rotary positions in the LLM.
            grid: Frames, rows and columns of the picture's patches.
            generation: Width and height of the generation in pixels.
        """
        rules = self.conventions
        kept = slice(rules.dropped_tokens, rules.dropped_tokens + rules.max_text_tokens)
        tokens = hidden[:, kept]
        ids = torch.tensor(prompt.ids[kept])
        if rules.text_positions == "mllm":
            positions = mllm_text_positions(
                mllm_positions[0, 0, kept].cpu(),
                is_picture=(ids == self.model.config.image_token_id).int(),
                grid=self._merged_grid(grid),
                patch_px=self._patch_px(),
                generation=generation,
            )
        else:
            positions = zero_positions(tokens.shape[1])
        return Conditioning(
            tokens=tokens,
            mask=torch.ones(tokens.shape[:2], dtype=torch.long, device=tokens.device),
            positions=positions.to(tokens.device),
            text_embeddings=embeddings[:, kept] if rules.text_mapping else None,
            text_mask=torch.tensor([prompt.quoted[kept]], device=tokens.device) if rules.text_mapping else None,
        )

    def _merged_grid(self, grid: Int[Tensor, "1 3"]) -> tuple[int, int]:
        merge = self.image_processor.merge_size
        return int(grid[0, 1]) // merge, int(grid[0, 2]) // merge


class _SharedReading:
    """Prompts about one picture, read with the work they share done once: their common beginning and the vision tower."""

    def __init__(self, conditioner: Conditioner, prompts: Sequence[PromptTokens], pixels: dict[str, Tensor]) -> None:
        self.conditioner = conditioner
        self.model = conditioner.model
        self.device = conditioner.device
        self.pixels = pixels
        self.vision: Any = None
        self.common = _common_length([prompt.ids for prompt in prompts])
        self.cache: Any = None
        self.hidden: Tensor | None = None
        self.embeddings: Tensor | None = None

    def read(self, prompt: PromptTokens) -> tuple[Tensor, Tensor, Tensor]:
        """Return hidden states, input embeddings and rotary positions of a whole prompt."""
        ids = torch.tensor([prompt.ids], device=self.device)
        mask = self._attention_mask(ids)
        positions = self._positions(ids)
        if self.hidden is None or self.embeddings is None:
            self.hidden, self.embeddings = self._run(ids, positions, mask, slice(0, self.common))
        else:
            self.cache.crop(self.common - self.cache.get_seq_length())
        hidden, embeddings = self._run(ids, positions, mask, slice(self.common, None))
        return torch.cat([self.hidden, hidden], 1), torch.cat([self.embeddings, embeddings], 1), positions

    def _run(
        self, ids: Tensor, positions: Tensor, mask: Tensor | None, part: slice
    ) -> tuple[Float[Tensor, "1 part hidden"], Float[Tensor, "1 part hidden"]]:
        """Run the LLM on a part of a prompt; what came before it is in the cache."""
        picture = self._picture_inputs(ids[:, part])
        with _observed(self.model) as seen:
            output = self.model(
                input_ids=ids[:, part],
                position_ids=positions[:, :, part],
                attention_mask=None if mask is None else mask[:, : part.stop],
                past_key_values=self.cache,
                use_cache=True,
                logits_to_keep=1,
                **picture,
            )
        self.cache = output.past_key_values
        self.vision = self.vision or seen.get("vision")
        return seen["hidden"], seen["embeddings"]

    def _picture_inputs(self, ids: Tensor) -> dict[str, Any]:
        """Give the picture's pixels the first time, what the vision tower made of them from then on."""
        if not (ids == self.model.config.image_token_id).any():
            return {}
        grid = self.pixels["image_grid_thw"].to(self.device)
        if self.vision is None:
            return {"pixel_values": self.pixels["pixel_values"].to(self.device), "image_grid_thw": grid}
        return {"mm_encoder_outputs": {"image": self.vision}, "image_grid_thw": grid}

    def _positions(self, ids: Tensor) -> Int[Tensor, "3 1 length"]:
        # The released code masks "!" here in every release; transformers 4.x leaves position 1 where the mask is 0.
        mask = (ids != _FREE_EXCLAMATION_MARK).long() if self.conditioner.parity else None
        language_model: Any = self.model.model
        positions, _ = language_model.get_rope_index(
            ids,
            (ids == self.model.config.image_token_id).int(),
            image_grid_thw=self.pixels["image_grid_thw"].to(self.device),
            attention_mask=mask,
        )
        return positions if mask is None else positions.masked_fill(mask == 0, 1)

    def _attention_mask(self, ids: Tensor) -> Tensor | None:
        if self.conditioner.parity and self.conditioner.conventions.layout == "image_first":
            return (ids != _FREE_EXCLAMATION_MARK).long()
        return None


def _refuse_picture_places(instruction: str) -> None:
    for place in _PICTURE_PLACES:
        if place in instruction:
            raise RequestError(
                given=f"an instruction with {place} in it",
                expected="words, without the multimodal LLM's own marks for pictures",
                remedy="Leave the mark out.",
            )


def _common_length(prompts: Sequence[list[int]]) -> int:
    """Return how many leading tokens all prompts share, leaving at least one token to each."""
    shortest = min(len(ids) for ids in prompts) - 1
    for index in range(shortest):
        if len({ids[index] for ids in prompts}) > 1:
            return index
    return shortest


@contextmanager
def _observed(model: Qwen2_5_VLForConditionalGeneration) -> Iterator[dict[str, Any]]:
    """Watch one forward pass: the vision tower's output, the embeddings that enter the LLM, the states that leave it.

    The model's own outputs hold the states only together with those of every layer.
    """
    seen: dict[str, Any] = {}
    inner = model.model
    handles = [
        inner.visual.register_forward_hook(lambda _module, _args, output: seen.update(vision=output)),
        inner.language_model.register_forward_pre_hook(
            lambda _module, _args, kwargs: seen.update(embeddings=kwargs["inputs_embeds"]), with_kwargs=True
        ),
        inner.language_model.register_forward_hook(
            lambda _module, _args, output: seen.update(hidden=output.last_hidden_state)
        ),
    ]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
