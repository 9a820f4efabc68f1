"""The eleven edit tasks carry both names."""

import pytest

from step1x_edit.errors import RequestError
from step1x_edit.schema.tasks import EditTask


def test_there_are_eleven_tasks_with_keys_as_published():
    assert {task.benchmark_key for task in EditTask} == {
        "background_change",
        "color_alter",
        "material_alter",
        "motion_change",
        "ps_human",
        "style_change",
        "subject-add",
        "subject-remove",
        "subject-replace",
        "text_change",
        "tone_transfer",
    }


def test_a_task_is_found_by_either_name():
    for task in EditTask:
        assert EditTask.from_name(task.benchmark_key) is task
        assert EditTask.from_name(task.paper_name) is task


def test_an_unknown_task_is_refused():
    with pytest.raises(RequestError, match="tone_transfer"):
        EditTask.from_name("tone")
