from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import opened_page
from judged_runs import draw_run
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from typer.testing import CliRunner

from step1x_edit.apps.cli import app as command
from step1x_edit.benchmark.cases.case import JudgeableCase
from step1x_edit.benchmark.study.items import StudyItem, gather_items, ordered_items, ordered_methods
from step1x_edit.benchmark.study.ratings import LEVELS, Ratings
from step1x_edit.benchmark.study.results import ordinal_agreement, study_results
from step1x_edit.errors import DataError, RequestError
from step1x_edit.schema.judged import CaseId
from step1x_edit.schema.tasks import EditTask

TASKS = (EditTask.COLOUR_ALTERATION, EditTask.SUBJECT_REMOVAL)
METHODS = ("first", "second", "third")


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> tuple[StudyItem, ...]:
    folder = tmp_path_factory.mktemp("study")
    runs = [draw_run(folder, name, seed=seed, tasks=TASKS) for seed, name in enumerate(METHODS)]
    return gather_items(_cases(), runs, language="en")


def _cases() -> list[JudgeableCase]:
    return [
        JudgeableCase(
            id=CaseId(task=task, language="en", key=f"{number:032x}"),
            instruction=f"{task.paper_name} {number} <b>now</b>",
            intersection=False,
            open_source=lambda: Image.new("RGB", (96, 64), (10, 20, 30)),
        )
        for task in TASKS
        for number in range(3)
    ]


def test_cases_without_two_pictures_are_not_asked_about(items: tuple[StudyItem, ...]) -> None:
    # The second case of each task is a refused one.
    assert len(items) == 4
    assert all(sorted(one.pictures) == sorted(METHODS) for one in items)


def test_each_person_has_an_order_of_their_own_and_keeps_it(items: tuple[StudyItem, ...]) -> None:
    orders = {tuple(str(one.case.id) for one in ordered_items(items, person=f"p{number}")) for number in range(20)}
    assert len(orders) > 5
    shown = {ordered_methods(items[0], person=f"p{number}") for number in range(60)}
    assert len(shown) == 6
    assert ordered_items(items, person="p1") == ordered_items(items, person="p1")
    tasks = [one.case.id.task for one in ordered_items(items, person="p1")]
    assert tasks[0] != tasks[1]


def test_answers_of_another_study_are_not_mixed(tmp_path: Path) -> None:
    Ratings(tmp_path / "a.sqlite").claim("one")
    with pytest.raises(DataError, match="about other cases or editors"):
        Ratings(tmp_path / "a.sqlite").claim("two")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.sqlite").write_bytes(b"no database at all, but long enough to be read as one" * 20)
    with pytest.raises(DataError, match="SQLite refuses"):
        Ratings(tmp_path / "a.sqlite")


def test_agreement_is_one_for_one_mind_and_that_of_a_worked_example_between() -> None:
    assert ordinal_agreement([[2, 2], [10, 10], [6, 6]]) == pytest.approx(1.0)
    assert ordinal_agreement([[4, 4], [4, 4]]) is None
    assert ordinal_agreement([[2], [10]]) is None
    # Krippendorff (2011), data C: four observers, twelve units, levels 1..5; ordinal alpha 0.815.
    observers = (
        (1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0),
        (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3),
        (0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0),
        (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0),
    )
    units = [[2 * level for level in unit if level] for unit in zip(*observers, strict=True)]
    assert ordinal_agreement(units) == pytest.approx(0.815, abs=0.0005)


def test_means_give_every_case_then_every_task_the_same_weight(tmp_path: Path, items: tuple[StudyItem, ...]) -> None:
    ratings = Ratings(tmp_path / "a.sqlite")
    given = {"p": (2, 10, 2), "q": (6, None, 2)}
    for person, levels in given.items():
        ratings.add_person(person)
        for item, level in zip(items[:3], levels, strict=True):
            if level is not None:
                ratings.rate(person, item.case.id, {"first": level, "second": 10}, seconds=1.0)
    found = study_results(ratings.all())
    assert found.people == 2
    assert [one.method for one in found.methods] == ["second", "first"]
    # Two cases of one task, 4 and 10, and one of another, 2; over answers alike it would be 4.4, over cases alike 5.33.
    assert found.methods[1].macro.value == pytest.approx(4.5)
    assert (found.methods[1].cases, found.methods[1].ratings) == (3, 5)


def test_the_page_ranks_by_keyboard_goes_on_after_a_stop_and_names_no_editor(
    tmp_path: Path, items: tuple[StudyItem, ...]
) -> None:
    ratings = Ratings(tmp_path / "answers.sqlite")
    with _served(items, ratings) as address, opened_page() as browser:
        asked: list[str] = []
        browser.on("request", lambda request: asked.append(request.url))
        browser.goto(address)
        browser.get_by_text("0 of 4 cases done").wait_for()
        _rank_by_keys(browser, "531")
        browser.get_by_text("1 of 4 cases done").wait_for()
        browser.reload()
        browser.get_by_text("1 of 4 cases done").wait_for()
        _until(browser, "!busy")
        browser.keyboard.press("Backspace")
        _until(browser, "document.querySelectorAll(':checked').length === 3")
        assert _chosen(browser) == [10, 6, 2]
        for done in (1, 2, 3, 4):
            _rank_by_keys(browser, "432")
            browser.get_by_text(f"{done} of 4 cases done").wait_for()
            _until(browser, "document.querySelectorAll(':checked').length === 0")
        browser.get_by_text("All cases are ranked").wait_for()
        seen = f"{asked} {browser.content()}"
    assert len(ratings.all()) == 12
    assert {one.level for one in ratings.all()} == {8, 6, 4}
    assert all(f"/{name}" not in seen for name in METHODS)
    assert all(url.startswith(address) for url in asked)
    told = CliRunner().invoke(command, ["bench", "study", "--results", "--db", str(tmp_path / "answers.sqlite")])
    assert told.exit_code == 0, told.output
    assert "1 people" in told.output


def test_a_picture_is_handed_out_without_what_its_file_says_of_its_making(
    tmp_path: Path, items: tuple[StudyItem, ...]
) -> None:
    from step1x_edit.benchmark.study.server import StudyDesk

    note = PngInfo()
    note.add_text("parameters", "made by first")
    path = items[0].pictures["first"]
    with Image.open(path) as picture:
        pixels = np.asarray(picture)
    Image.fromarray(pixels).save(path, pnginfo=note)
    ratings = Ratings(tmp_path / "a.sqlite")
    desk = StudyDesk(items, ratings)
    person = desk.begin()["person"]
    number = ordered_items(items, person=person).index(items[0])
    handed = [desk.picture(person, number, place).body for place in range(4)]
    assert not any(b"made by" in one for one in handed)
    assert any(np.array_equal(np.asarray(Image.open(io.BytesIO(one))), pixels) for one in handed)


def test_levels_that_are_none_and_strangers_are_refused(tmp_path: Path, items: tuple[StudyItem, ...]) -> None:
    import httpx2

    with _served(items, Ratings(tmp_path / "a.sqlite")) as address, httpx2.Client(base_url=address) as client:
        person = client.post("/api/people").json()["person"]
        place = f"/api/people/{person}/cases/0"
        for levels in ([2, 4], [2, 4, 7], [2, 4, 6, 8]):
            assert client.put(place, json={"levels": levels}).status_code == 422
        assert client.put(place, json={"levels": list(LEVELS[:3])}).status_code == 200
        assert client.get("/api/people/somebody").status_code == 422
        assert client.get(f"/pictures/{person}/0/4").status_code == 422
        assert client.get("/", headers={"Host": "elsewhere.example"}).status_code == 400


def test_a_port_that_is_taken_is_told_in_a_sentence(tmp_path: Path, items: tuple[StudyItem, ...]) -> None:
    from step1x_edit.benchmark.study.server import HOST, serve_study, study_app

    with socket.create_server((HOST, 0)) as taken, pytest.raises(RequestError, match="which cannot be had"):
        serve_study(study_app(items, Ratings(tmp_path / "a.sqlite")), port=taken.getsockname()[1])


def _rank_by_keys(browser: Any, keys: str) -> None:
    _until(browser, "document.querySelectorAll('fieldset').length === 3 && !busy")
    browser.keyboard.press("ArrowLeft")
    for key in keys:
        browser.keyboard.press(key)
    browser.keyboard.press("Enter")


def _until(browser: Any, condition: str) -> None:
    """Wait from here: the page's own rules forbid playwright to wait inside it."""
    for _ in range(3000):
        if browser.evaluate(condition):
            return
        time.sleep(0.02)
    raise AssertionError(condition)


def _chosen(browser: Any) -> list[int]:
    return browser.evaluate("levels()")


@contextmanager
def _served(items: tuple[StudyItem, ...], ratings: Ratings) -> Iterator[str]:
    uvicorn = pytest.importorskip("uvicorn", reason="uvicorn is not installed")
    from step1x_edit.benchmark.study.server import HOST, study_app

    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(study_app(items, ratings), host=HOST, port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.02)
        yield f"http://{HOST}:{port}"
    finally:
        server.should_exit = True
        thread.join()
