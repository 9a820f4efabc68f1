"""Quoted text is split as the released code splits it, except for its accidents."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from step1x_edit.models.quotes import flagged_pieces, straighten_quotes, wrapped_pieces


def texts_of(pieces):
    return [piece.text for piece in pieces]


def test_v1_x_splits_every_string_as_the_released_code(vector):
    for case in vector("units_split_strings.json")["v1p1_split_string"]:
        text = "x" * 156 + case["input_suffix"]
        assert texts_of(wrapped_pieces(text, released=True, guard=155)) == case["parts"], case["input_suffix"]


def test_v1_x_guards_the_prefix_as_the_released_code(vector):
    for case in vector("units_split_strings.json")["v1p1_split_string_before_index_156"]:
        assert texts_of(wrapped_pieces(case["input"], released=True, guard=155)) == case["parts"], case["input"]


@pytest.mark.parametrize("group", ["in_quotation", "in_quotation_and_special_tokens"])
def test_v1_2_splits_and_flags_every_string_as_the_released_code(vector, group):
    for case in vector("units_split_strings.json")[f"v1p2_split_string_{group}"]:
        pieces = flagged_pieces(case["input"], guard=case["prefix_len"])
        assert texts_of(pieces) == case["parts"], case["input"]
        assert [piece.quoted for piece in pieces] == case["in_quotation"], case["input"]


@pytest.mark.parametrize(
    ("text", "straight"),
    [
        ("this girl's neck", "this girl's neck"),
        ("don't paint what you can't see", "don't paint what you can't see"),
        ("Replace 'TRAIN' with 'PLANE'", 'Replace "TRAIN" with "PLANE"'),
        ("write “你好”", 'write "你好"'),
    ],
)
def test_apostrophes_quote_only_where_a_pair_encloses_a_span(text, straight):
    assert straighten_quotes(text, released=False) == straight


@given(st.text(alphabet="ab \"“”'<|>\n好", max_size=30))
def test_no_character_is_lost_in_splitting(text):
    assert "".join(texts_of(flagged_pieces(text))) == text
    unwrapped = (piece.text[1:-1] if piece.quoted else piece.text for piece in wrapped_pieces(text, released=False))
    assert "".join(unwrapped) == straighten_quotes(text, released=False)
