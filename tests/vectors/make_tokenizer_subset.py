"""Cut the part of Qwen's tokenizer out that the tests use: ``qwen_tokenizer_subset.json`` (once; by hand).

    pip download --no-deps dashscope && unzip dashscope-*.whl dashscope/resources/qwen.tiktoken
    python tests/vectors/make_tokenizer_subset.py dashscope/resources/qwen.tiktoken

The vocabulary file holds byte strings and ranks, no merges. A text is encoded by joining, again and again, the two
neighbours whose joint string has the lowest rank; the pairs joined on the way are the merges. With only the merges that
the texts below ever use, the same neighbours are joined in the same order, so that these texts get the same ids. Other
texts fall into smaller tokens.
"""

from __future__ import annotations

import base64
import json
import sys
from itertools import pairwise
from pathlib import Path

from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers

from step1x_edit.presets.releases import releases

FOLDER = Path(__file__).parent
TARGET = FOLDER / "qwen_tokenizer_subset.json"
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Words of Qwen2's tokenizer, each encoded on its own."""

SPECIAL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",
    "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip
FIRST_SPECIAL_ID = 151643

FURTHER_TEXTS = (
    "Add pendant with a ruby around this girl's neck.",
    "Make it blue!",
    "Make it blue! !! ！",
    "don't paint what you can't see",
    "Replace 'TRAIN' with 'PLANE'",
    "把文字“春天”改成“SUMMER 2025”",
)


def texts() -> list[str]:
    """Return everything the tests encode, piece by piece and whole."""
    found = [*FURTHER_TEXTS]
    for name in ("conditioner_official_text.json", "conditioner_fork_v1p2_text.json"):
        found += [case["prompt"] for case in json.loads((FOLDER / name).read_text(encoding="utf-8")).values()]
    characters = {f"“{character}”" for text in found for character in text} | {c for text in found for c in text}
    tail = "<|im_end|>\n<|im_start|>assistant\n"
    characters |= {f"“{character}”" for character in tail}
    rendered = [text.replace("'", '"').replace("“", '"').replace("”", '"') for text in found]
    constants = [part for release in releases() for part in (release.conventions.chat_head, release.conventions.prefix)]
    wholes = [f" {text}Picture 1: " for text in found] + [f"{constant}Picture 1: " for constant in constants]
    return [
        *found,
        *sorted(characters),
        *rendered,
        *constants,
        *wholes,
        *tail.split("<|im_end|>"),
        "system\n",
        "user\n",
    ]


def merges_of(word: str, ranks: dict[str, int]) -> list[tuple[str, str]]:
    """Encode a word (in byte letters) and return the pairs that were joined."""
    parts, joined = list(word), []
    while True:
        pairs = [(ranks[a + b], i) for i, (a, b) in enumerate(pairwise(parts)) if a + b in ranks]
        if not pairs:
            return joined
        _, index = min(pairs)
        joined.append((parts[index], parts[index + 1]))
        parts[index : index + 2] = [parts[index] + parts[index + 1]]


def main(vocabulary: Path) -> None:
    """Write the subset."""
    letters = byte_letters()
    lines = (line.split() for line in vocabulary.read_bytes().splitlines() if line)
    ranks = {"".join(letters[byte] for byte in base64.b64decode(token)): int(rank) for token, rank in lines}
    normaliser = normalizers.NFC()
    words = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    used = {
        pair
        for text in texts()
        for word, _ in words.pre_tokenize_str(normaliser.normalize_str(text))
        for pair in merges_of(word, ranks)
    }
    merges = sorted(used, key=lambda pair: (ranks["".join(pair)], pair))
    vocabulary_subset = {letter: ranks[letter] for letter in letters.values()}
    vocabulary_subset |= {a + b: ranks[a + b] for a, b in merges}
    specials = {token: FIRST_SPECIAL_ID + index for index, token in enumerate(SPECIAL)}
    form = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": index, "content": token, "special": True}
            | dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
            for token, index in specials.items()
        ],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": json.loads(words.__getstate__()),
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False},
        "model": {
            "type": "BPE",
            "vocab": dict(sorted((vocabulary_subset | specials).items(), key=lambda entry: entry[1])),
            "merges": [list(pair) for pair in merges],
        },
    }
    TARGET.write_text(json.dumps(form, ensure_ascii=False), encoding="utf-8")
    check(ranks, words, normaliser)


def byte_letters() -> dict[int, str]:
    """Return the letter that stands for each byte in byte-level vocabularies."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + index) for index, byte in enumerate(others)}


def check(ranks: dict[str, int], words: pre_tokenizers.PreTokenizer, normaliser: normalizers.Normalizer) -> None:
    """Compare the subset's ids with the whole vocabulary's."""
    subset = Tokenizer.from_file(str(TARGET))
    for text in texts():
        if "<|" in text:
            continue
        expected = []
        for word, _ in words.pre_tokenize_str(normaliser.normalize_str(text)):
            parts = list(word)
            for a, b in merges_of(word, ranks):
                index = next(i for i in range(len(parts)) if parts[i : i + 2] == [a, b])
                parts[index : index + 2] = [a + b]
            expected += [ranks[part] for part in parts]
        assert subset.encode(text, add_special_tokens=False).ids == expected, text


if __name__ == "__main__":
    main(Path(sys.argv[1]))
