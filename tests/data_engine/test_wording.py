"""Wishes in words: varied, short as users are, in three voices and two languages, and never saying another edit."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from drawn_wishes import KINDS, drawn_wish, form

from step1x_edit.data_engine.instructions import Language, colours, places, wording
from step1x_edit.data_engine.instructions.checks import language_agrees, side_words, sides_agree, unsaid
from step1x_edit.data_engine.instructions.grammar import compiled, said
from step1x_edit.data_engine.instructions.wording import LENGTHS, instructions, length, variants, word
from step1x_edit.data_engine.mixture import mixture
from step1x_edit.data_engine.objects import ObjectClass, object_classes
from step1x_edit.data_engine.tones import TONES
from step1x_edit.data_engine.wish import Wish
from step1x_edit.errors import DataError
from step1x_edit.schema.tasks import EditTask
from step1x_edit.schema.triplet import Voice

LANGUAGES: tuple[Language, ...] = get_args(Language)
VOICES: tuple[Voice, ...] = get_args(Voice)
_SLOTS = """object the_object objects an_object it its it_is it_was is was has s they other an_other other_it place colour name
a_coloured_object material attribute a_material_object style work scenery at_scenery plain_object this_object photo
the_photo front"""
"""What the rules may leave to be filled."""
CASES = {
    EditTask.SUBJECT_ADDITION: 60,
    EditTask.SUBJECT_REMOVAL: 57,
    EditTask.SUBJECT_REPLACEMENT: 60,
    EditTask.BACKGROUND_CHANGE: 40,
    EditTask.COLOUR_ALTERATION: 40,
    EditTask.MATERIAL_MODIFICATION: 40,
    EditTask.STYLE_TRANSFER: 60,
    EditTask.TONE_TRANSFORMATION: 40,
}
"""How many of GEdit-Bench's instructions in a language are of each task that has a recipe."""
COUNT = 120
"""Fewer than the thousand of the promise: what holds for them holds for more."""


@pytest.fixture(scope="module")
def texts() -> dict[tuple[EditTask, Language], list[tuple[str, Wish]]]:
    """Instructions of each task and language, in the mixture of voices."""
    made = {}
    for number, task in enumerate(KINDS):
        for language in LANGUAGES:
            rng = np.random.default_rng([number, LANGUAGES.index(language)])
            wishes = [drawn_wish(task, rng) for _ in range(COUNT)]
            made[task, language] = [(word(wish, language=language, rng=rng), wish) for wish in wishes]
    return made


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("task", KINDS)
def test_instructions_of_a_task_have_at_least_sixty_forms_and_none_prevails(texts, task, language):
    forms = Counter(form(text, wish, language) for text, wish in texts[task, language])
    assert len(forms) >= 60
    assert forms.most_common(1)[0][1] < COUNT / 6


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("task", KINDS)
def test_every_text_names_what_its_wish_holds_and_says_no_other_side(texts, task, language):
    for text, wish in texts[task, language]:
        assert not unsaid(text, wish, language), text
        assert sides_agree(text, wish, language), text


@pytest.mark.parametrize("task", KINDS)
def test_languages_keep_apart_and_no_text_has_a_hole_or_a_mark_of_the_grammar(texts, task):
    for language in LANGUAGES:
        for text, _ in texts[task, language]:
            assert language_agrees(text, language), text
            assert not re.search(r"[{}<>\[\]|*]|  |^\s|\s$|(?:^| )[.,?]", text), text


def test_english_has_the_mean_length_of_the_benchmark_over_its_tasks(texts):
    means = {task: np.mean([length(text, "en") for text, _ in texts[task, "en"]]) for task in KINDS}
    assert 7.0 < sum(CASES[task] * means[task] for task in KINDS) / sum(CASES.values()) < 8.2


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("voice", VOICES)
def test_a_voice_keeps_to_its_length(voice, language):
    rng = np.random.default_rng(4)
    counts = []
    for _ in range(8):
        for task in KINDS:
            counts.append(length(word(drawn_wish(task, rng), language=language, voice=voice, rng=rng), language))
    fewest, most = LENGTHS[language][voice]
    assert fewest <= np.mean(counts) <= most
    assert min(counts) >= fewest
    # Two long names ("light blue", "in the bottom left corner") may not fit.
    assert np.mean([count <= most for count in counts]) > 0.85


def test_a_user_types_small_letters_and_few_full_stops_and_a_careful_writer_does_not():
    rng = np.random.default_rng(1)
    wishes = [drawn_wish(EditTask.SUBJECT_REMOVAL, rng) for _ in range(80)]
    user = [word(wish, language="en", voice="user", rng=rng) for wish in wishes]
    careful = [word(wish, language="en", voice="detailed", rng=rng) for wish in wishes]
    assert np.mean([text[0].islower() for text in user]) > 0.8
    assert np.mean([text[-1].isalpha() for text in user]) > 0.7
    assert np.mean([text[0].isupper() and text[-1] in ".?" for text in careful]) > 0.7


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", [name for name in places() if "left" in name or "right" in name])
def test_the_wish_for_the_other_side_is_worded_alike_but_for_the_side(name, language):
    swapped = {"left": "right", "right": "left", "左": "右", "右": "左"}
    for number in range(25):
        task = (EditTask.SUBJECT_ADDITION, EditTask.SUBJECT_REMOVAL)[number % 2]
        kind = f"{task.value}-placed"
        wish = replace(drawn_wish(task, np.random.default_rng(number)), key=kind, place=places()[name])
        here = word(wish, language=language, rng=np.random.default_rng([number, 1]))
        other = replace(wish, place=places()[re.sub("left|right", lambda found: swapped[found[0]], name)])
        there = word(other, language=language, rng=np.random.default_rng([number, 1]))
        assert here != there
        assert re.sub("left|right|左|右", lambda found: swapped[found[0]], here.lower()) == there.lower()
        assert not sides_agree(here, other, language)


def test_the_same_chance_gives_the_same_words():
    wish = Wish(key="subject-replace", subject=object_classes()["dog"], other=object_classes()["cherries"])
    first, second = (instructions(wish, np.random.default_rng(8)) for _ in range(2))
    assert first == second
    assert first != instructions(wish, np.random.default_rng(9))


def test_all_voices_come_in_both_languages_and_short_ones_are_mostly_the_main_wording():
    wish = Wish(key="color_alter", subject=object_classes()["car"], colour=colours()["red"])
    every = variants(wish, np.random.default_rng(0))
    assert {(one.language, one.voice) for one in every} == {(a, b) for a in LANGUAGES for b in VOICES}
    main = Counter()
    for seed in range(60):
        words = instructions(wish, np.random.default_rng(seed))
        assert {words.en, words.cn} <= {one.text for one in words.variants}
        main[next(one.voice for one in words.variants if one.text == words.en)] += 1
    assert main["detailed"] < 25 < main["concise"] + main["user"]


def test_articles_and_plurals_are_right():
    rng = np.random.default_rng(3)
    glasses = ObjectClass(name="sunglasses", zh="墨镜", measure="副", article="a pair of")
    unicorn = ObjectClass(name="unicorn", zh="独角兽", measure="只")
    added = {
        name: {word(Wish(key="subject-add", subject=what), language="en", rng=rng).lower() for _ in range(40)}
        for name, what in {**object_classes(), "sunglasses": glasses, "unicorn": unicorn}.items()
        if name in ("apple", "cherries", "sunglasses", "unicorn", "orange")
    }
    assert all("an apple" in text for text in added["apple"])
    assert all("some cherries" in text for text in added["cherries"])
    assert all("a pair of sunglasses" in text for text in added["sunglasses"])
    assert all("a unicorn" in text for text in added["unicorn"])
    removed = [
        word(Wish(key="subject-remove", subject=object_classes()["cherries"]), language="en", rng=rng).lower()
        for _ in range(150)
    ]
    assert not any(re.search(r"cherries (?:is|has|needs)\b|of it\b|erase it|a cherries", text) for text in removed)
    assert any("cherries are" in text for text in removed)
    assert any("a pair of red sunglasses" in text for text in _coloured(glasses, rng))


def _coloured(what: ObjectClass, rng: np.random.Generator) -> list[str]:
    wish = Wish(key="subject-add", subject=what, colour=colours()["red"])
    return [word(wish, language="en", rng=rng).lower() for _ in range(20)]


def test_a_colour_that_tells_which_object_is_meant_stands_before_its_name():
    wish = Wish(key="subject-remove", subject=object_classes()["car"], colour=colours()["red"])
    rng = np.random.default_rng(0)
    assert all("red car" in word(wish, language="en", rng=rng).lower() for _ in range(30))
    assert all(re.search("红色的(?:汽车|车|小汽车)", word(wish, language="zh", rng=rng)) for _ in range(30))


def test_new_objects_have_their_measure_word_in_chinese():
    rng = np.random.default_rng(0)
    wish = Wish(key="subject-add", subject=object_classes()["horse"])
    assert all("一匹马" in word(wish, language="zh", rng=rng) for _ in range(50))


def test_both_spellings_occur_and_never_in_one_text():
    rng = np.random.default_rng(0)
    wish = Wish(key="color_alter", subject=object_classes()["car"], colour=colours()["grey"])
    many = [word(wish, language="en", rng=rng).lower() for _ in range(100)]
    assert any("colour" in text for text in many) and any("color" in text for text in many)
    assert not any(("colour" in text and "gray" in text) or ("color " in text and "grey" in text) for text in many)


@pytest.mark.parametrize("look", sorted({*TONES, *mixture().tones, "rain", "derain", "snow", "clear", "deblur"}))
def test_every_look_can_be_worded(look):
    wish = Wish(key=f"tone_transfer-{look.replace(' ', '-')}")
    assert len({one.text for one in variants(wish, np.random.default_rng(0))}) == 6


def test_a_wish_that_nobody_wrote_words_for_is_refused_with_a_remedy():
    for wish in (Wish(key="tone_transfer-plaid"), Wish(key="teleport"), Wish(key="subject-replace")):
        with pytest.raises(DataError, match="instructions"):
            word(wish, language="en", rng=np.random.default_rng(0))


def test_every_mark_of_the_grammar_refers_to_something():
    slots = set(_SLOTS.split())
    folder = Path(wording.__file__).parent
    for name in ("english", "chinese"):
        grammar = tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))
        looks = tomllib.loads((folder / f"{name}_looks.toml").read_text(encoding="utf-8"))
        tables = [grammar["shared"], grammar.get("objects", {})]
        tables += [*grammar["voices"].values(), *grammar["edits"].values(), *looks.values()]
        symbols = {symbol for table in tables for symbol in table}
        rules = " ".join(rule for table in tables for alternatives in table.values() for rule in alternatives)
        assert set(re.findall(r"\{(\w+)\}", rules)) <= slots
        assert set(re.findall(r"<([^<>]*)>", rules)) <= symbols


def test_rules_leave_out_what_cannot_be_said():
    rules = {"text": ["make {it} <how>", "add <what>"], "how": ["(red|blue) *3"], "what": ["{thing}"]}
    phrase = compiled("text", rules, frozenset({"it"}))
    assert phrase is not None
    rng = np.random.default_rng(0)
    assert {said(phrase, {"it": "x"}, rng) for _ in range(50)} == {"make x red", "make x blue"}
    assert compiled("what", rules, frozenset()) is None


@pytest.mark.parametrize("rule", ["a (b|c", "a [b", "a b)", "<text>"])
def test_a_broken_rule_is_named(rule):
    with pytest.raises(DataError, match="rule"):
        compiled("text", {"text": [rule]}, frozenset())


@pytest.mark.parametrize(
    ("text", "language", "sides"),
    [
        ("Remove the dog on the left.", "en", {"left"}),
        ("add a cat in the Upper Right corner", "en", {"top", "right"}),
        ("put it at the bottom, in the center", "en", {"bottom", "centre"}),
        ("do it right now, so that nothing is left and all is bright", "en", set()),
        ("i want the cat on the right in this picture", "en", {"right"}),
        ("remove the cup on top of the table, lower the brightness", "en", set()),
        ("去掉左边的狗", "zh", {"left"}),
        ("在画面右上角加一只猫", "zh", {"top", "right"}),
        ("加一下面包，晚上左右换上", "zh", set()),
        ("把它放在正中间", "zh", {"centre"}),
    ],
)
def test_directions_are_found_and_idioms_are_none(text, language, sides):
    assert set(side_words(text, language)) == sides


@pytest.mark.parametrize(
    ("text", "language"), [("add a cat to the left of the dog", "en"), ("在狗的左边加一只猫", "zh")]
)
def test_a_side_of_another_object_is_no_side_of_the_picture(text, language):
    wish = Wish(key="subject-add-placed", subject=object_classes()["cat"], place=places()["left"])
    assert not sides_agree(text, wish, language)
    assert sides_agree("add a cat on the left of the picture", wish, "en")
    assert sides_agree("在画面的左边加一只猫", wish, "zh")


def test_a_text_that_leaves_out_or_changes_a_name_is_found():
    wish = Wish(key="color_alter", subject=object_classes()["dog"], colour=colours()["grey"])
    assert unsaid("make the animal gray", wish, "en") == ("subject",)
    assert unsaid("make the dog red", wish, "en") == ("colour",)
    assert unsaid("Paint the Puppy gray", wish, "en") == ()
    assert unsaid("把猫变成灰色", wish, "zh") == ("subject",)
