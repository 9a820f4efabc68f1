"""A picture, a folder or a job list becomes the same kind of plan, checked before anything heavy happens."""

import json
from pathlib import Path

import pytest
from PIL import Image

from step1x_edit.apps.cli.jobs import JobDefaults, plan_jobs, result_name
from step1x_edit.errors import RequestError

NIGHT = JobDefaults(instructions=("make it night",))


@pytest.fixture
def photo(tmp_path) -> Path:
    path = tmp_path / "cat.jpg"
    Image.new("RGB", (20, 20)).save(path)
    return path


def write_list(folder: Path, *lines: dict | str) -> Path:
    path = folder / "jobs.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return path


def test_one_picture_goes_to_a_speaking_name(photo):
    plan = plan_jobs(photo, out=None, defaults=NIGHT)
    assert [job.out for job in plan.jobs] == [Path("output/cat-make-it-night.png")]
    assert plan.jobs[0].request.instruction == "make it night"


@pytest.mark.parametrize(
    ("image", "instruction", "seed", "suffix", "name"),
    [
        ("cat.webp", "Make it NIGHT!", 0, None, "cat-make-it-night.webp"),
        ("cat.jpg", "夜晚，请", 7, None, "cat-夜晚-请-seed7.png"),
        ("cat.jpg", "../../etc/x", 0, "jpg", "cat-etc-x.jpg"),
        ("cat.jpg", "?!", 0, None, "cat-edited.png"),
        ("cat.jpg", "a" * 300, 0, None, f"cat-{'a' * 48}.png"),
    ],
)
def test_names_tell_picture_instruction_and_seed(image, instruction, seed, suffix, name):
    assert result_name(Path(image), instruction, seed=seed, suffix=suffix) == name


def test_several_instructions_give_several_results_with_names_of_their_own(photo):
    plan = plan_jobs(photo, out=Path("here"), defaults=JobDefaults(instructions=("night", "night!", "snow")))
    assert [job.out.name for job in plan.jobs] == ["cat-night.png", "cat-night-2.png", "cat-snow.png"]
    assert {job.out.parent for job in plan.jobs} == {Path("here")}


def test_an_output_name_is_taken_for_a_single_result_only(photo):
    assert plan_jobs(photo, out=Path("x/night.jpg"), defaults=NIGHT).jobs[0].out == Path("x/night.jpg")
    with pytest.raises(RequestError, match="for 2 results"):
        plan_jobs(photo, out=Path("night.png"), defaults=JobDefaults(instructions=("a", "b")))
    with pytest.raises(RequestError, match=r"\.png, \.webp"):
        plan_jobs(photo, out=Path("night.gif"), defaults=NIGHT)


def test_a_folder_gives_its_pictures_in_order_and_nothing_else(tmp_path):
    for name in ("b.PNG", "a.jpeg", "notes.txt", ".hidden.png", "c.webp"):
        (tmp_path / name).write_bytes(b"")
    plan = plan_jobs(tmp_path, out=None, defaults=NIGHT)
    assert [job.reference.name for job in plan.jobs] == ["a.jpeg", "b.PNG", "c.webp"]


def test_a_folder_is_not_its_own_output(tmp_path, photo):
    with pytest.raises(RequestError, match="not edited again"):
        plan_jobs(tmp_path, out=tmp_path, defaults=NIGHT)


def test_a_job_list_starts_at_its_own_folder_and_wins_over_the_command_line(tmp_path, photo):
    path = write_list(
        tmp_path,
        {"image": "cat.jpg", "instruction": "snow", "seed": 5, "steps": 3, "out": "one.webp"},
        "",
        {"image": "cat.jpg", "instructions": ["fog", "rain"]},
        {"image": str(photo)},
    )
    jobs = plan_jobs(path, out=Path("results"), defaults=JobDefaults(instructions=("night",), steps=9, seed=1)).jobs
    assert [job.request.instruction for job in jobs] == ["snow", "fog", "rain", "night"]
    assert [(job.request.seed, job.request.steps) for job in jobs] == [(5, 3), (1, 9), (1, 9), (1, 9)]
    assert jobs[0].out == Path("results/one.webp")
    assert all(job.reference.samefile(photo) for job in jobs)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("not json", "line 2 of"),
        ({"instruction": "x"}, "no image"),
        ({"image": "cat.jpg", "colour": 1}, "the unknown name 'colour'"),
        ({"image": "dog.jpg", "instruction": "x"}, "does not exist"),
        ({"image": "cat.jpg"}, "no instruction"),
        ({"image": "cat.jpg", "instruction": " "}, "an empty instruction"),
        ({"image": "cat.jpg", "instruction": "x", "steps": 0}, "steps 0"),
        ({"image": "cat.jpg", "instructions": ["a", "b"], "out": "a.png"}, "one output for 2"),
        ({"image": "cat.jpg", "instruction": "x", "out": "first.png"}, "a second time"),
        ({"image": "cat.jpg", "instruction": "x", "out": "noending"}, r"\.png, \.webp"),
        ({"image": ".", "instruction": "x"}, "a folder"),
        ("[1, 2]", "line 2 of"),
    ],
)
def test_a_bad_line_is_named_by_its_number(tmp_path, photo, line, words):
    path = write_list(tmp_path, {"image": "cat.jpg", "instruction": "fine", "out": "first.png"}, line)
    with pytest.raises(RequestError, match=words) as caught:
        plan_jobs(path, out=None, defaults=JobDefaults())
    assert "\n" not in str(caught.value)


def test_lists_and_folders_without_work_are_refused(tmp_path):
    with pytest.raises(RequestError, match="without lines"):
        plan_jobs(write_list(tmp_path), out=None, defaults=NIGHT)
    (tmp_path / "jobs.jsonl").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(RequestError, match="UTF-8"):
        plan_jobs(tmp_path / "jobs.jsonl", out=None, defaults=NIGHT)
    (tmp_path / "empty").mkdir()
    with pytest.raises(RequestError, match="without pictures"):
        plan_jobs(tmp_path / "empty", out=None, defaults=NIGHT)
    with pytest.raises(RequestError, match="does not exist"):
        plan_jobs(tmp_path / "missing.png", out=None, defaults=NIGHT)
