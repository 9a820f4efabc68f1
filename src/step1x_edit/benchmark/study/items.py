"""What people are asked about: cases with the pictures of several editors, in an order of each person's own."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain, zip_longest
from pathlib import Path

from step1x_edit.benchmark.cases.case import JudgeableCase
from step1x_edit.benchmark.generation.run_folder import PICTURES, edited_name
from step1x_edit.errors import DataError
from step1x_edit.schema.judged import CaseLanguage

__all__ = ["StudyItem", "fingerprint_of", "gather_items", "ordered_items", "ordered_methods"]

FEWEST = 2
"""Pictures of a case; there is nothing to rank in one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyItem:
    """One case, and what each editor made of it."""

    case: JudgeableCase
    pictures: dict[str, Path]
    """By the name of the editor; editors without a picture are not in it."""


def gather_items(
    cases: Iterable[JudgeableCase], runs: Sequence[Path], *, language: CaseLanguage
) -> tuple[StudyItem, ...]:
    """Find the pictures of every case.

    Args:
        cases: The case set that the editors were run over.
        runs: Folders ``results/METHOD``, each of another editor.
        language: Only cases in it are shown.

    Returns:
        Cases that at least two editors have a picture of.

    Raises:
        DataError: Two runs have one name, or there is no such case.
    """
    names = [run.name for run in runs]
    if len(set(names)) < len(names) or len(names) < FEWEST:
        raise DataError(
            given=f"runs named {', '.join(names)}",
            expected="two or more runs of editors with different names",
            remedy="Name the folder results/METHOD of each editor once.",
        )
    found = [StudyItem(case=case, pictures=_pictures(case, runs)) for case in cases if case.id.language == language]
    items = tuple(one for one in found if len(one.pictures) >= FEWEST)
    if not items:
        raise DataError(
            given=f"{len(found)} cases in {language!r}, none of which two of {', '.join(names)} have a picture of",
            expected="at least one case to rank",
            remedy="Name the cases that the editors were run over, and check --language.",
        )
    return items


def ordered_items(items: Sequence[StudyItem], *, person: str) -> tuple[StudyItem, ...]:
    """Return the cases in a person's own random order, the same each time; tasks take turns."""
    chance = random.Random(f"cases {person}")
    by_task: dict[str, list[StudyItem]] = defaultdict(list)
    for item in items:
        by_task[item.case.id.task.value].append(item)
    groups = list(by_task.values())
    chance.shuffle(groups)
    for group in groups:
        chance.shuffle(group)
    return tuple(one for one in chain.from_iterable(zip_longest(*groups)) if one is not None)


def ordered_methods(item: StudyItem, *, person: str) -> tuple[str, ...]:
    """Return a case's editors in the random order in which a person sees their pictures, the same each time."""
    methods = sorted(item.pictures)
    random.Random(f"pictures {person} {item.case.id}").shuffle(methods)
    return tuple(methods)


def fingerprint_of(items: Sequence[StudyItem]) -> str:
    """Return a hash over cases, words and editors; answers of other studies do not mix with it."""
    digest = sha256()
    for item in items:
        digest.update(repr((str(item.case.id), item.case.instruction, sorted(item.pictures))).encode())
    return digest.hexdigest()


def _pictures(case: JudgeableCase, runs: Sequence[Path]) -> dict[str, Path]:
    paths = {run.name: run / PICTURES / edited_name(case.id) for run in runs}
    return {name: path for name, path in paths.items() if path.is_file()}
