"""A mini suite → cases that a judge can be asked about; target and region stay beside them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from step1x_edit.benchmark.cases.case import JudgeableCase
from step1x_edit.benchmark.cases.case_set import Cases
from step1x_edit.benchmark.cases.naming import case_id
from step1x_edit.benchmark.suites import BenchmarkCase, Language, open_suite
from step1x_edit.schema.judged import CaseLanguage

__all__ = ["open_suite_cases"]

_LANGUAGES: tuple[tuple[CaseLanguage, Language], ...] = (("en", "en"), ("cn", "zh"))


def open_suite_cases(name: str) -> Cases:
    """Open a suite in both languages, the English cases first.

    Args:
        name: A suite in the package, or the folder of a store of triplets.

    Raises:
        DataError: There is no such suite, it is empty, or a case's name is no file name.
        MissingExtra: pyarrow is not installed.
    """
    suite = open_suite(name)
    pairs = list(product(_LANGUAGES, suite.cases))
    cases = [_case(case, ours, stored, where=f"the store {name}") for (ours, stored), case in pairs]
    return Cases(suite.name, cases, source_hash=lambda number: pairs[number][1].record.source.sha256)


def _case(case: BenchmarkCase, language: CaseLanguage, stored: Language, *, where: str) -> JudgeableCase:
    return JudgeableCase(
        # A store of somebody else's may hold any name; files are named after it.
        id=case_id(case.record.task.value, language, case.name, where=where),
        instruction=case.instruction(stored),
        intersection=True,
        open_source=_opening(case),
        region=_region(case),
        target=_target(case),
    )


def _opening(case: BenchmarkCase) -> Callable[[], Image.Image]:
    return lambda: Image.fromarray(case.reference)


def _region(case: BenchmarkCase) -> Callable[[], Bool[np.ndarray, "height width"]]:
    return lambda: case.mask


def _target(case: BenchmarkCase) -> Callable[[], UInt8[np.ndarray, "height width 3"]]:
    return lambda: case.target
