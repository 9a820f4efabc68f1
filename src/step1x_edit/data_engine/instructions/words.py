"""The words of a wish: its objects with articles, pronouns and measure words, its colour, place, material, style."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from step1x_edit.data_engine.instructions.grammar import said
from step1x_edit.data_engine.instructions.tables import phrase_from
from step1x_edit.data_engine.instructions.vocabulary import Language
from step1x_edit.data_engine.objects import ObjectClass
from step1x_edit.data_engine.wish import Wish

__all__ = ["chinese_words", "english_words", "is_plural", "with_article"]

USUAL_NAME = 0.8
"""How often the first of several names is taken."""
_PLURALS = frozenset({"people", "children", "men", "women", "feet", "teeth", "mice", "geese"})
_VOWEL = re.compile(r"(?!uni(?!n|m)|us[eiu]|eu|uk|one\b|once)[aeiou]|8|11\b|18\b|hour|honest", re.IGNORECASE)
_COLLECTIVE = frozenset("串副双对束堆群盘碗排把块片")
"""Measure words that say of several things, or of a mass, that they are one."""


def is_plural(what: ObjectClass) -> bool:
    """Tell whether the English name of a class is a plural: "cherries", "a pair of sunglasses"."""
    return what.article != "a" and (what.name.endswith("s") or what.name in _PLURALS)


def with_article(phrase: str) -> str:
    """Return an English phrase after "a" or "an", whichever it asks for."""
    return f"{'an' if _VOWEL.match(phrase) else 'a'} {phrase}"


def english_words(wish: Wish, rng: np.random.Generator) -> dict[str, str]:
    """Draw the English words of a wish.

    Args:
        wish: What is asked for.
        rng: Chooses among names.

    Returns:
        Words by the slot they fill. What the wish does not hold has no slot, nor has what cannot be said of it: "the
        car's colour" is not there when the car is "the car on the left".
    """
    words: dict[str, str] = {}
    place = _from_table("en", "places", wish.place.name, rng) if wish.place else ""
    if wish.subject is not None:
        words |= _english_subject(wish, "" if _is_goal(wish) else place, rng)
    if wish.other is not None:
        name = _usual(wish.other.names, rng)
        words |= {"other": name, "an_other": _english_new(wish.other, name, "")}
        words["other_it"] = "them" if is_plural(wish.other) else "it"
    if wish.place is not None and _is_goal(wish):
        words["place"] = place
    if wish.colour is not None:
        words["colour"] = _usual(wish.colour.en, rng)
    if wish.style is not None:
        words["style"] = _usual(wish.style.en, rng)
        words |= _named("work", _from_table("en", "works", wish.style.name, rng))
    if wish.scenery is not None:
        words |= {"scenery": _usual(wish.scenery.en, rng), "at_scenery": _usual(wish.scenery.at_en, rng)}
    return words | _english_attributes(wish, words, rng)


def chinese_words(wish: Wish, rng: np.random.Generator) -> dict[str, str]:
    """Draw the Chinese words of a wish; slots as in :func:`english_words`, with measure words instead of articles."""
    words: dict[str, str] = {}
    place = _from_table("zh", "places", wish.place.name, rng) if wish.place else ""
    if wish.subject is not None:
        words |= _chinese_subject(wish, "" if _is_goal(wish) else place, rng)
    if wish.other is not None:
        name = _usual(wish.other.zh_names, rng)
        words |= {"other": name, "an_other": _chinese_new(wish.other, name, rng)}
    if wish.place is not None and _is_goal(wish):
        words["place"] = place
    for slot, held in (("colour", wish.colour), ("material", wish.material), ("style", wish.style)):
        if held is not None:
            words[slot] = _usual(held.zh, rng)
    if wish.style is not None:
        words |= _named("work", _from_table("zh", "works", wish.style.name, rng))
    if wish.scenery is not None:
        words |= {"scenery": _usual(wish.scenery.zh, rng), "at_scenery": _usual(wish.scenery.at_zh, rng)}
    return words


def _is_goal(wish: Wish) -> bool:
    """Tell whether the place says where something goes, rather than which object is meant."""
    return wish.key.startswith("subject-add")


def _describes(wish: Wish) -> bool:
    """Tell whether the colour says which object is meant, or what is added, rather than what is to change."""
    return wish.key.startswith(("subject-add", "subject-remove"))


def _english_subject(wish: Wish, place: str, rng: np.random.Generator) -> dict[str, str]:
    what = wish.subject
    assert what is not None
    name = _usual(what.names, rng)
    if wish.colour is not None and _describes(wish):
        name = f"{_usual(wish.colour.en, rng)} {name}"
    plural = is_plural(what)
    located = f"{name} {place}".rstrip()
    words = {
        "object": located,
        "the_object": f"the {located}",
        "an_object": _english_new(what, name, ""),
        "it": "them" if plural else "it",
        "its": "their" if plural else "its",
        "it_is": "they are" if plural else "it is",
        "it_was": "they were" if plural else "it was",
        "is": "are" if plural else "is",
        "was": "were" if plural else "was",
        "has": "have" if plural else "has",
        "s": "" if plural else "s",
        "they": "they" if plural else "it",
    }
    if not place:
        words["objects"] = f"the {name}'" if plural and name.endswith("s") else f"the {name}'s"
    return words


def _english_attributes(wish: Wish, words: Mapping[str, str], rng: np.random.Generator) -> dict[str, str]:
    """Return the new colour or material before the object's name ("a red car"), where the object has no place."""
    held: dict[str, str] = {}
    alone = wish.subject is not None and "objects" in words
    if wish.material is not None:
        held["material"] = _usual(wish.material.en, rng)
        held |= _named("attribute", _from_table("en", "attributes", wish.material.name, rng))
        if alone and "attribute" in held:
            held["a_material_object"] = _english_new(wish.subject, words["object"], held["attribute"])
    if wish.colour is not None and alone and not _describes(wish):
        held["a_coloured_object"] = _english_new(wish.subject, words["object"], words["colour"])
    return held


def _english_new(what: ObjectClass | None, name: str, attribute: str) -> str:
    """Return an object as new: "a red car", "some red cherries", "a pair of red sunglasses"."""
    assert what is not None
    phrase = f"{attribute} {name}".strip()
    # Another name of a class of several things may be a singular: its article is then a/an.
    own = what.article if name.endswith(what.name) else "a"
    return with_article(phrase) if own == "a" else f"{own} {phrase}"


def _chinese_subject(wish: Wish, place: str, rng: np.random.Generator) -> dict[str, str]:
    what = wish.subject
    assert what is not None
    name = _usual(what.zh_names, rng)
    if wish.colour is not None and _describes(wish):
        name = f"{_usual(wish.colour.zh, rng)}的{name}"
    located = f"{place}的{name}" if place else name
    words = {"plain_object": located, "an_object": _chinese_new(what, name, rng)}
    if not place:
        words["name"] = name
        if what.article == "a" and what.name != "subject":
            words["this_object"] = f"这{what.measure}{name}"
    form = phrase_from("zh", ("objects",), "located_object" if place else "object", frozenset(words))
    words["object"] = located if form is None else said(form, words, rng)
    return words


def _chinese_new(what: ObjectClass, name: str, rng: np.random.Generator) -> str:
    if what.article == "some" and what.measure not in _COLLECTIVE:
        return f"{'一些' if rng.random() < 0.5 else f'几{what.measure}'}{name}"
    return f"一{what.measure}{name}"


def _from_table(language: Language, table: str, symbol: str, rng: np.random.Generator) -> str:
    form = phrase_from(language, (table,), symbol, frozenset())
    return "" if form is None else said(form, {}, rng)


def _named(slot: str, word: str) -> dict[str, str]:
    return {slot: word} if word else {}


def _usual(choices: Sequence[str], rng: np.random.Generator) -> str:
    return choices[0] if rng.random() < USUAL_NAME else choices[int(rng.integers(len(choices)))]
