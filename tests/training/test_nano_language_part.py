"""Making nano's language part: the GGUF reader and the cut vocabulary."""

import struct
from pathlib import Path

import numpy as np
import pytest
from tokenizers.pre_tokenizers import ByteLevel

from step1x_edit.errors import DataError
from step1x_edit.training.nano.gguf import read_gguf
from step1x_edit.training.nano.vocabulary import ALL_BELOW, SPECIAL_TOKENS, WORDS_BELOW, cut_vocabulary


def gguf_string(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


@pytest.fixture
def gguf_file(tmp_path: Path) -> Path:
    """One row of 32 in each quantised type: 4 bits with minimum, 8 bits."""
    nibbles = bytes(low | (15 - low) << 4 for low in range(16))
    four = np.array([0.5, -2.0], "<f2").tobytes() + nibbles
    eight = np.array([0.25], "<f2").tobytes() + np.arange(-16, 16, dtype="i1").tobytes()
    header = b"GGUF" + struct.pack("<IQQ", 3, 2, 2)
    header += gguf_string("name") + struct.pack("<I", 8) + gguf_string("tiny")
    header += gguf_string("merges") + struct.pack("<IIQ", 9, 8, 2) + gguf_string("a b") + gguf_string("ab c")
    for name, kind, offset in (("four", 3, 0), ("eight", 8, 32)):
        header += gguf_string(name) + struct.pack("<IQQIQ", 2, 32, 1, kind, offset)
    header += bytes(-len(header) % 32)
    path = tmp_path / "tiny.gguf"
    path.write_bytes(header + four.ljust(32, b"\0") + eight)
    return path


def test_gguf_metadata_is_read(gguf_file: Path) -> None:
    assert read_gguf(gguf_file).metadata == {"name": "tiny", "merges": ["a b", "ab c"]}


def test_gguf_blocks_mean_what_the_format_says(gguf_file: Path) -> None:
    source = read_gguf(gguf_file)
    four = np.concatenate([np.arange(16), 15 - np.arange(16)]) * 0.5 - 2
    assert np.array_equal(source.tensor("four"), four[None].astype(np.float32))
    assert np.array_equal(source.tensor("eight"), (np.arange(-16, 16) * 0.25)[None].astype(np.float32))


def test_a_file_that_is_not_gguf_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"PK\3\4" + bytes(40))
    with pytest.raises(DataError, match="version 3"):
        read_gguf(tmp_path / "file")


@pytest.fixture(scope="module")
def source() -> tuple[list[str], list[str]]:
    """A vocabulary in the source's order whose late merges are a word, a name, and a Chinese character."""
    singles = sorted(ByteLevel.alphabet())
    filler = [f"{left} {right}" for left in singles for right in singles][: WORDS_BELOW - 10]
    late = ["Ġ w", "o r", "Ġw or", "Ġwor d", "Ġ N", "ĠN a", "Ġ ä", "ç Į", "çĮ «"]
    merges = [merge for merge in filler if merge not in late] + late
    tokens = [f"<{index}>" for index in range(SPECIAL_TOKENS)] + singles + [merge.replace(" ", "") for merge in merges]
    return tokens, merges


def test_words_and_characters_are_kept_with_what_they_are_made_of(source: tuple[list[str], list[str]]) -> None:
    kept = cut_vocabulary(*source).tokenizer.get_vocab()
    assert {"Ġword", "Ġwor", "or", "Ġw", "çĮ«"} <= kept.keys()
    assert "ĠNa" not in kept
    assert len(kept) > ALL_BELOW


def test_rows_point_at_the_same_tokens_of_the_source(source: tuple[list[str], list[str]]) -> None:
    tokens, merges = source
    vocabulary = cut_vocabulary(tokens, merges)
    kept = vocabulary.tokenizer.get_vocab()
    assert all(kept[tokens[row]] == index for index, row in enumerate(vocabulary.rows))
    assert sorted(vocabulary.token_ids.values()) == list(range(len(vocabulary.rows), len(vocabulary.rows) + 4))


def test_dropped_merges_still_leave_every_text_writable(source: tuple[list[str], list[str]]) -> None:
    tokenizer = cut_vocabulary(*source).tokenizer
    for text in (" word Name 猫狗", "\tZürich 7!"):
        assert tokenizer.decode(tokenizer.encode(text).ids) == text
