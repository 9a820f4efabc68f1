"""Tasks as they are typed → the shares of a run."""

from __future__ import annotations

from step1x_edit.data_engine.recipes import RECIPES
from step1x_edit.data_engine.run.settings import TaskShare
from step1x_edit.errors import RequestError
from step1x_edit.schema.tasks import EditTask

__all__ = ["parse_tasks"]


def parse_tasks(text: str) -> tuple[TaskShare, ...]:
    """Read tasks as they are typed: ``subject-add,color_alter`` or with weights, ``subject-add:2,color_alter:1``.

    ``all`` stands for every task that has a recipe.

    Raises:
        RequestError: A task is unknown, named twice or has no recipe, or a weight is no positive number.
    """
    words = [task.value for task in RECIPES] if text.strip() == "all" else [word.strip() for word in text.split(",")]
    shares = [_share(word) for word in words]
    if len({one.task for one in shares}) < len(shares):
        raise RequestError(given=f"the tasks {text}", expected="each task once", remedy="Use weights: NAME:2.")
    return tuple(shares)


def _share(word: str) -> TaskShare:
    name, _, weight = word.partition(":")
    task = EditTask.from_name(name)
    if task not in RECIPES:
        raise RequestError(
            given=f"the edit task {name!r}, which has no recipe yet",
            expected=f"some of {', '.join(RECIPES)}",
            remedy="Leave it out of --tasks.",
        )
    try:
        return TaskShare(task=task, weight=float(weight or 1))
    except ValueError as error:
        raise RequestError(
            given=f"the task {word!r}", expected="NAME or NAME:WEIGHT, the weight above 0", remedy="Correct --tasks."
        ) from error
