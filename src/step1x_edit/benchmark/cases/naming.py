"""Task, language and key as written by somebody → a case's id, or the fault in one sentence."""

from __future__ import annotations

import re
from typing import get_args

from step1x_edit.errors import DataError, RequestError
from step1x_edit.schema.judged import CaseId, CaseLanguage
from step1x_edit.schema.tasks import EditTask

__all__ = ["case_id"]

_SAFE_KEY = re.compile(r"(?!.*_SRCIMG$)[\w-][\w.-]{0,127}")
"""Keys become file names; none may lead out of its folder, hide, or look like another case's source."""


def case_id(task: object, language: object, key: object, *, where: str) -> CaseId:
    """Return the id.

    Args:
        task: A GEdit-Bench key or the paper's name of a task.
        language: "en" or "cn".
        key: Letters, digits, ``_``, ``-`` and ``.``, at most 128, the first no dot, the end not ``_SRCIMG``.
        where: Which row or line it stands in, for messages.

    Raises:
        DataError: Task or language is unknown, or the key is no file name.
    """
    for word in get_args(CaseLanguage):
        if language == word:
            break
    else:
        raise DataError(
            given=f"the language {language!r} in {where}",
            expected="en or cn (Chinese is cn here, as in the published data set)",
            remedy="Correct the language.",
        )
    try:
        known = EditTask.from_name(str(task))
    except RequestError as unknown:
        raise DataError(
            given=f"the task {task!r} in {where}", expected=unknown.expected, remedy="Correct the task."
        ) from unknown
    if not (isinstance(key, str) and _SAFE_KEY.fullmatch(key)):
        raise DataError(
            given=f"the key {key!r} in {where}",
            expected="letters, digits, '_', '-' and '.', at most 128, not ending in _SRCIMG, since files are named after it",
            remedy="Give the case another key.",
        )
    return CaseId(task=known, language=word, key=key)
