"""Edited pictures lie in the official layout; a stopped run goes on, refusals are kept, other settings are not mixed in."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from loopback_images import LoopbackImages, gemini_says, loopback_images, openai_error, openai_says, png_base64
from PIL import Image
from published_cases import DRAWN, drawn_source, write_published
from toy_stock import write_toy_pix2pix

from step1x_edit.benchmark.cases.case import JudgeableCase
from step1x_edit.benchmark.cases.case_set import Cases, NumberedCase, chosen_cases
from step1x_edit.benchmark.cases.gedit import open_gedit
from step1x_edit.benchmark.editors import IdentityEditor
from step1x_edit.benchmark.generation.case_editor import CaseEditor, NoPicture, PixelEditor
from step1x_edit.benchmark.generation.finished import FinishedPictures
from step1x_edit.benchmark.generation.gemini import GeminiEditor
from step1x_edit.benchmark.generation.generating import generate
from step1x_edit.benchmark.generation.images_endpoint import ImagesEndpoint
from step1x_edit.benchmark.generation.run_folder import GenerationSettings, RunFolder
from step1x_edit.benchmark.generation.services import RETRIES, STRAIGHT_FAILURES
from step1x_edit.benchmark.generation.stock import StockEditor, stock_pipelines
from step1x_edit.errors import DataError, ExpertError, MissingRelease, RequestError
from step1x_edit.schema.judged import GenerationRecord

pytest.importorskip("datasets", reason="needs the extra `bench`")


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    return open_gedit(str(write_published(tmp_path_factory.mktemp("gedit") / "data", form="arrow")))


@pytest.fixture(scope="module")
def toy_pix2pix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_pix2pix(tmp_path_factory.mktemp("pix2pix"))


@pytest.fixture
def server() -> Iterator[LoopbackImages]:
    with loopback_images() as running:
        yield running


class Moody(PixelEditor):
    """Answers by the case's place: refuses the second, fails at the third, and may be stopped before one."""

    def __init__(self, *, stops_at: int = 99, mends: bool = False) -> None:
        super().__init__(IdentityEditor())
        self.seeds: list[int] = []
        self._stops_at, self._mends = stops_at, mends

    def edit(self, case: JudgeableCase, source: Image.Image, *, seed: int) -> Image.Image | NoPicture:
        if len(self.seeds) == self._stops_at:
            raise KeyboardInterrupt
        self.seeds.append(seed)
        if seed == 41:
            return NoPicture(outcome="refused", reason="not with me")
        if seed == 42 and not self._mends:
            return NoPicture(outcome="failed", reason="a hiccup")
        return super().edit(case, source, seed=seed)


def settings(cases: Cases, editor: CaseEditor, *, seed: int = 40) -> GenerationSettings:
    return GenerationSettings(
        suite=cases.name, fingerprint=cases.fingerprint, editor=editor.name, version=editor.version, seed=seed
    )


def made(
    cases: Cases, editor: CaseEditor, folder: RunFolder, chosen: tuple[NumberedCase, ...] | None = None
) -> list[GenerationRecord]:
    chosen = chosen_cases(cases) if chosen is None else chosen
    return list(generate(chosen, editor, folder, settings(cases, editor)))


def english(cases: Cases, editor: CaseEditor, out: Path) -> list[GenerationRecord]:
    return made(cases, editor, RunFolder(out, "m"), chosen_cases(cases, languages=("en",)))


def test_pictures_lie_where_the_official_scorer_looks(cases: Cases, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "moody")
    records = made(cases, Moody(), folder)
    assert len(records) == len(cases)
    for case in cases:
        place = tmp_path / "results" / "moody" / "fullset" / case.id.task.value / case.id.language
        source = np.asarray(Image.open(place / f"{case.id.key}_SRCIMG.png"))
        assert np.array_equal(source, np.asarray(case.open_source()))
        assert (place / f"{case.id.key}.png").is_file() == (folder.records()[case.id].outcome == "edited")
    assert folder.settings() == settings(cases, Moody())


def test_a_refusal_is_final_and_a_failure_is_tried_again(cases: Cases, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "moody")
    first = made(cases, Moody(), folder)
    assert [(one.outcome, one.reason) for one in first[1:3]] == [("refused", "not with me"), ("failed", "a hiccup")]
    again = Moody(mends=True)
    made(cases, again, folder)
    assert again.seeds == [42]
    assert [one.outcome for one in folder.records().values()].count("edited") == len(cases) - 1


def test_a_stopped_run_goes_on_with_the_same_seeds(cases: Cases, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "moody")
    with pytest.raises(KeyboardInterrupt):
        made(cases, Moody(stops_at=5), folder)
    log = folder.path / "generation.jsonl"
    log.write_bytes(log.read_bytes()[:-20])
    folder.edited(cases.cases[0].id).write_bytes(b"\x89PNG torn")
    rest = Moody(mends=True)
    made(cases, rest, folder)
    assert sorted(rest.seeds) == [40, 42, *range(44, 40 + len(cases))]
    assert all(line.endswith("}") for line in log.read_text().splitlines())


def test_a_finished_run_is_not_touched_again(cases: Cases, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "moody")
    made(cases, Moody(mends=True), folder)
    before = (
        {path: path.read_bytes() for path in folder.path.rglob("*.png")},
        (folder.path / "generation.jsonl").read_bytes(),
    )
    quiet = Moody()
    made(cases, quiet, folder)
    assert quiet.seeds == []
    after = (
        {path: path.read_bytes() for path in folder.path.rglob("*.png")},
        (folder.path / "generation.jsonl").read_bytes(),
    )
    assert before == after


def test_a_run_of_other_settings_is_not_mixed_in(cases: Cases, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "moody")
    made(cases, Moody(), folder)
    other = settings(cases, Moody(), seed=7).model_copy(update={"version": "2"})
    with pytest.raises(DataError, match="a run with another version and seed"):
        list(generate(chosen_cases(cases), Moody(), folder, other))
    with pytest.raises(RequestError, match="a folder is named after it"):
        RunFolder(tmp_path, "../moody")


def test_finished_pictures_are_taken_as_they_are(cases: Cases, tmp_path: Path) -> None:
    made(cases, Moody(mends=True), RunFolder(tmp_path / "theirs", "moody"))
    theirs = tmp_path / "theirs" / "results" / "moody"
    small = theirs / "fullset" / "tone_transfer" / "en" / f"{DRAWN[4][1]}.png"
    Image.open(small).resize((32, 48)).save(small)
    (theirs / "fullset" / "text_change" / "en" / f"{DRAWN[5][1]}.png").write_bytes(b"torn")
    ours = RunFolder(tmp_path / "ours", "moody")
    records = {str(one.case): one for one in made(cases, FinishedPictures(theirs), ours)}
    assert records[f"subject-replace/en/{DRAWN[1][1]}"].reason == "no file"
    assert "cannot be decoded" in records[f"text_change/en/{DRAWN[5][1]}"].reason
    resized = records[f"tone_transfer/en/{DRAWN[4][1]}"].case
    assert Image.open(ours.edited(resized)).size == (32, 48)
    assert not ours.has_own_size(resized)


def test_finished_pictures_of_another_set_or_none_are_refused(cases: Cases, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="without a finished picture"):
        FinishedPictures(tmp_path)
    case = cases.cases[0]
    place = tmp_path / "fullset" / case.id.task.value / case.id.language
    place.mkdir(parents=True)
    drawn_source(1, (32, 32)).save(place / f"{case.id.key}_SRCIMG.png")
    with pytest.raises(DataError, match=r"of 32 x 32 px; expected the source of .*96 x 64 px"):
        FinishedPictures(tmp_path).edit(case, case.open_source(), seed=0)


def images(server: LoopbackImages, **how: object) -> ImagesEndpoint:
    return ImagesEndpoint(base_url=f"{server.address}/v1", model="gpt-image-1", key="secret", **how)  # pyright: ignore[reportArgumentType]


def test_an_images_address_gets_source_words_and_options(cases: Cases, server: LoopbackImages, tmp_path: Path) -> None:
    records = english(cases, images(server, options={"quality": "high"}), tmp_path)
    assert {one.outcome for one in records} == {"edited"}
    assert {one.seed for one in records} == {None}
    assert {one.words for one in server.asked} == {row[2] for row in DRAWN}
    assert {(one.path, one.key, one.fields["quality"], one.fields["model"]) for one in server.asked} == {
        ("/v1/images/edits", "Bearer secret", "high", "gpt-image-1")
    }
    case = cases.cases[0]
    edited = np.asarray(Image.open(RunFolder(tmp_path, "m").edited(case.id)))
    assert np.array_equal(edited, 255 - np.asarray(case.open_source()))


def test_an_images_address_that_refuses_stumbles_or_babbles(
    cases: Cases, server: LoopbackImages, tmp_path: Path
) -> None:
    server.answers = [
        (400, openai_error("moderation_blocked", "Your request was rejected by the safety system.")),
        (429, openai_error("rate_limit_exceeded", "slow down")),
        (500, openai_error(None, "oops")),
        (200, openai_says(png_base64(drawn_source(9, (40, 40))))),
        (200, openai_says("bm8gcGljdHVyZQ==")),
        (200, b"<html>an error page</html>"),
        (400, openai_error("invalid_value", "no such size")),
    ]
    records = english(cases, images(server, at_once=1), tmp_path)
    assert [one.outcome for one in records] == ["refused", "edited", "failed", "failed", "failed", "edited"]
    assert "safety system" in records[0].reason
    assert "no such size" in records[4].reason


def test_a_wrong_key_or_a_dead_service_ends_the_run(cases: Cases, server: LoopbackImages, tmp_path: Path) -> None:
    server.answers = [(401, openai_error("invalid_api_key", "Incorrect API key"))]
    with pytest.raises(ExpertError, match=r"HTTP 401.*Check address, model, key"):
        english(cases, images(server, at_once=1), tmp_path)
    server.asked.clear()
    server.answer = lambda asked: (503, openai_error(None, "down"))
    with pytest.raises(ExpertError, match="5 failures in a row"):
        english(cases, images(server, at_once=1), tmp_path)
    assert len(server.asked) == STRAIGHT_FAILURES * (1 + RETRIES)


def gemini(server: LoopbackImages, **how: object) -> GeminiEditor:
    pytest.importorskip("google.genai", reason="needs the extra `gemini`")
    return GeminiEditor(model="g", key="secret", base_url=server.address, first_wait=0.01, at_once=1, **how)  # pyright: ignore[reportArgumentType]


def test_gemini_edits_declines_and_stumbles(cases: Cases, server: LoopbackImages, tmp_path: Path) -> None:
    server.answers = [
        (503, {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}),
        (200, gemini_says(picture=png_base64(drawn_source(3, (64, 64))), words="Here it is.")),
        (200, gemini_says(ended="IMAGE_SAFETY")),
        (200, {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}),
        (200, gemini_says(words="I cannot edit this person.")),
        (200, gemini_says()),
    ]
    records = english(cases, gemini(server, options={"temperature": 0.5}), tmp_path)
    assert [one.outcome for one in records] == ["edited", "refused", "refused", "refused", "failed", "edited"]
    assert [one.reason for one in records[1:4]] == [
        "IMAGE_SAFETY",
        "PROHIBITED_CONTENT",
        "STOP: I cannot edit this person.",
    ]
    assert {(one.key, one.fields["temperature"]) for one in server.asked} == {("secret", 0.5)}
    assert server.asked[0].words == DRAWN[0][2]


def test_gemini_without_a_key_or_with_a_strange_option_is_refused(server: LoopbackImages) -> None:
    pytest.importorskip("google.genai", reason="needs the extra `gemini`")
    with pytest.raises(RequestError, match="STEP1X_EDITOR_KEY"):
        GeminiEditor(model="g", key=None)
    with pytest.raises(RequestError, match="GenerateContentConfig"):
        gemini(server, options={"magic": 1})


@pytest.mark.parametrize("name", stock_pipelines())
def test_a_stock_pipeline_takes_what_the_table_gives_it(name: str) -> None:
    import diffusers

    how = stock_pipelines()[name]
    taken = inspect.signature(getattr(diffusers, how.class_name).__call__).parameters
    given = {"prompt", "generator", how.picture, *how.settings, *(("width", "height") if how.own_size else ())}
    assert given <= set(taken)


def test_a_stock_pipeline_edits_from_a_folder_and_repeats_itself(
    cases: Cases, toy_pix2pix: Path, tmp_path: Path
) -> None:
    editor = StockEditor("instruct-pix2pix", weights=toy_pix2pix, device="cpu", options={"num_inference_steps": 2})
    case = cases.cases[2]
    first, again, other = (editor.edit(case, case.open_source(), seed=seed) for seed in (1, 1, 2))
    assert isinstance(first, Image.Image)
    assert first.size == case.open_source().size
    assert np.array_equal(np.asarray(first), np.asarray(again))
    assert not np.array_equal(np.asarray(first), np.asarray(other))
    assert '"num_inference_steps": 2' in editor.version


def test_absent_weights_and_strange_options_are_said(toy_pix2pix: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingRelease, match="hf download black-forest-labs"):
        StockEditor("flux-kontext", weights=tmp_path, device="cpu")
    with pytest.raises(RequestError, match="the option prompt, steps"):
        StockEditor("instruct-pix2pix", weights=toy_pix2pix, options={"steps": 2, "prompt": "x"})
