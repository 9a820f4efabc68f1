"""Cuts SmolLM2's vocabulary of 49,152 to the part that instructions need, as a valid byte-level BPE.

A merge is kept together with the merges that make its two halves. So a kept word is tokenised exactly as in the
original, and any text can still be written, in more pieces where a merge was dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

__all__ = ["Vocabulary", "cut_vocabulary"]

SPECIAL_TOKENS = 17
"""SmolLM2's own, ids 0 to 16; ``<|im_start|>`` is 1 and ``<|im_end|>`` 2."""
VISION_TOKENS = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
"""Added behind the kept vocabulary under Qwen2.5-VL's names."""

ALL_BELOW = 8_000
"""Merges of any kind up to here: word parts, punctuation, capitals."""
WORDS_BELOW = 28_000
"""Whole lower-case English words up to here; the rest of that range is names and program text."""
LOWER_CASE_WORD = re.compile("Ġ[a-z]{2,}")
PROMPT_WORDS = ("Edit", "Picture")
"""Words of the prompt that no space precedes."""
EAST_ASIAN = re.compile("[\u3000-\u9fff\uff00-\uffef]")
VISUAL_WORDS = (
    "Add Blur Brighten Change Delete Erase Fill Give Insert Let Make Move Paint Put Remove Render Replace Swap Turn "
    "animated backpack balloon banana beige bicycle blurry cactus cartoon crayon cupcake denim duck fluffy giraffe "
    "glossy kite kitten lantern lemon lollipop maroon moose motorcycle mushroom octopus orchid owl panda parrot "
    "peacock penguin pineapple pumpkin puppy rainy sepia shiny sketch snail snowy squirrel strawberry sunflower "
    "sunglasses sunrise sunset teddy telescope tiger tomato trumpet turquoise umbrella vintage violin watercolor "
    "watermelon zebra"
)
"""Rarer words that edits are made of; the few that SmolLM2 itself has no single token for stay in pieces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The cut vocabulary."""

    tokenizer: Tokenizer
    rows: list[int]
    """For each kept token without the vision tokens, its id in the original, ascending."""

    @property
    def token_ids(self) -> dict[str, int]:
        """Ids of the vision tokens."""
        return {token: len(self.rows) + offset for offset, token in enumerate(VISION_TOKENS)}


def cut_vocabulary(tokens: list[str], merges: list[str]) -> Vocabulary:
    """Choose merges and build the tokenizer.

    Args:
        tokens: All tokens of the source in the order of their ids: special, single bytes, then one for each merge.
        merges: All merges, two halves with a space between, most frequent first.

    Returns:
        The tokenizer of the kept merges plus the vision tokens, and the original id of every kept token.
    """
    pairs = [(left, right) for left, _, right in (merge.partition(" ") for merge in merges)]
    first = len(tokens) - len(merges)
    kept = _closed(_wanted(tokens[first:]), pairs)
    rows = [*range(first), *(first + merge for merge in kept)]
    vocabulary = {tokens[row]: index for index, row in enumerate(rows)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[pairs[merge] for merge in kept]))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [*tokens[:SPECIAL_TOKENS], *VISION_TOKENS]
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
    return Vocabulary(tokenizer=tokenizer, rows=rows)


def _wanted(merged: list[str]) -> Iterable[int]:
    named = {"Ġ" + word for word in VISUAL_WORDS.split()} | set(PROMPT_WORDS)
    for merge, token in enumerate(merged):
        word = merge < WORDS_BELOW and LOWER_CASE_WORD.fullmatch(token)
        if merge < ALL_BELOW or word or token in named or _is_east_asian(token):
            yield merge


def _closed(wanted: Iterable[int], pairs: list[tuple[str, str]]) -> list[int]:
    """Add the merges that make the halves of wanted merges, and of those in turn."""
    made_by = {left + right: merge for merge, (left, right) in enumerate(pairs)}
    kept: set[int] = set()
    open_merges = list(wanted)
    while open_merges:
        merge = open_merges.pop()
        if merge not in kept:
            kept.add(merge)
            open_merges += [made_by[half] for half in pairs[merge] if half in made_by]
    return sorted(kept)


def _is_east_asian(token: str) -> bool:
    """Whether a token holds a Chinese character or full-width sign, or two of the three bytes of one."""
    raw = b"".join(_BYTES[character] for character in token)
    if len(raw) == 2 and 0xE3 <= raw[0] <= 0xE9 and 0x80 <= raw[1] < 0xC0:
        return True
    return EAST_ASIAN.search(raw.decode("utf-8", "ignore")) is not None


def _byte_table() -> dict[str, bytes]:
    """GPT-2's printable stand-in for each byte, reversed."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(0x100) if byte not in printable]
    table = {chr(byte): bytes([byte]) for byte in printable}
    return table | {chr(0x100 + index): bytes([byte]) for index, byte in enumerate(others)}


_BYTES = _byte_table()
