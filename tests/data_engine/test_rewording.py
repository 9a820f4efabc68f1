"""Further wordings for a whole store, asked of a real server on this machine through the real client."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from drawn_store import drawn_store
from loopback_chat import LoopbackChat, asked, loopback_chat, spoken

from step1x_edit.data_engine.instructions.recalling import recalled_wish
from step1x_edit.data_engine.instructions.rewriting import complaint
from step1x_edit.data_engine.rewording import Rewording, read_wordings, reword_store
from step1x_edit.errors import DataError, ExpertError, RequestError
from step1x_edit.experts.embedded import EmbeddedExperts
from step1x_edit.experts.multimodal_chat import MultimodalChat
from step1x_edit.store import read_manifest, read_records, read_rejections, read_triplets

pytest.importorskip("pyarrow", reason="needs the extra `data`")
pytest.importorskip("openai", reason="the package openai (extra `data`) is not installed")

REWORDING = Rewording(voices=("user",), count=1)
NAMED = 8
"""Triplets of the drawn store that name something; the other four are looks of the whole picture."""


def chatty(body: dict[str, Any]) -> tuple[int, object]:
    """Answer with one faithful line and five that are not: each in its own way."""
    question = asked(body)
    example, *_ = re.findall(r"^- (.*)$", question, re.MULTILINE)
    english = "in English" in question
    wrong = ["把它去掉", "change it over there"] if english else ["please remove it", "改一下那里"]
    lines = [f"1. {example}", f"2) “{example}!!”", *wrong, f"{example}?!"]
    return 200, spoken("\n".join([*lines, f"{example} " + ("on and on " * 9 if english else "再来一次吧" * 9)]))


@pytest.fixture
def chat() -> Iterator[LoopbackChat]:
    with loopback_chat() as running:
        running.answer = chatty
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Path:
    drawn_store(tmp_path / "store")
    return tmp_path / "store"


def experts(chat: LoopbackChat, folder: Path) -> EmbeddedExperts:
    return EmbeddedExperts(folder / "no parts", chat=MultimodalChat(base_url=chat.url, model="some-model-7b"))


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_wish_of_a_stored_triplet_is_known_again(store: Path) -> None:
    for record in read_records(store):
        for one in record.instruction_variants:
            wish = recalled_wish(record, one.language)
            assert wish is not None and wish.key == record.subtask
            assert complaint(one.text, wish, language=one.language, voice=one.voice) in (None, "length")


def test_a_name_that_no_table_holds_is_known_in_english_alone(store: Path) -> None:
    record = next(one for one in read_records(store) if one.aux.subject)
    strange = record.model_copy(update={"aux": record.aux.model_copy(update={"subject": "sousaphone"})})
    wish = recalled_wish(strange, "en")
    assert wish is not None and wish.subject is not None and wish.subject.name == "sousaphone"
    assert recalled_wish(strange, "zh") is None


def test_faithful_lines_become_wordings_in_both_languages_and_all_else_is_kept_with_its_reason(
    store: Path, chat: LoopbackChat, tmp_path: Path
) -> None:
    before = contents(store)
    manifest = reword_store(store, tmp_path / "new", experts=experts(chat, tmp_path), rewording=REWORDING, at_once=3)
    said = list(read_wordings(tmp_path / "new"))
    assert Counter(one.language for one in said if one.taken) == {"en": NAMED, "zh": NAMED}
    reasons = Counter(one.refused for one in said if one.refused)
    assert set(reasons) >= {"repeated", "language", "surplus"}
    assert sum(one.unasked for one in said) == 2 * 4
    assert len(said) == 2 * NAMED * 6 + 2 * 4, "every line of every answer, and every question not asked"
    for old, new in zip(read_triplets(store), read_triplets(tmp_path / "new"), strict=True):
        added = new.record.instruction_variants[len(old.record.instruction_variants) :]
        assert new.record.model_copy(update={"instruction_variants": old.record.instruction_variants}) == old.record
        assert {(one.language, one.writer) for one in added} in (
            {("en", "some-model-7b"), ("zh", "some-model-7b")},
            set(),
        )
        assert (new.reference == old.reference).all() and (new.target == old.target).all()
    assert list(read_rejections(tmp_path / "new")) == list(read_rejections(store))
    assert contents(store) == before, "the old store is only read"
    assert manifest.hash != read_manifest(store).hash
    assert manifest.settings["rewording"]["of"] == read_manifest(store).hash
    assert manifest.settings["rewording"]["model"] == "some-model-7b"


def test_a_run_that_lost_its_server_goes_on_and_asks_nothing_twice(
    store: Path, chat: LoopbackChat, tmp_path: Path
) -> None:
    calm = reword_store(store, tmp_path / "calm", experts=experts(chat, tmp_path), rewording=REWORDING)
    questions = [asked(body) for _, _, body in chat.received]
    chat.received.clear()

    def going_down(body: dict[str, Any]) -> tuple[int, object]:
        return chatty(body) if len(chat.received) <= 5 else (401, {"error": {"message": "the key has run out"}})

    chat.answer, before = going_down, contents(store)
    with pytest.raises(ExpertError, match="the key has run out"):
        reword_store(store, tmp_path / "new", experts=experts(chat, tmp_path), rewording=REWORDING)
    assert read_manifest(tmp_path / "new").hash is None
    assert contents(store) == before
    answered = [asked(body) for _, _, body in chat.received[:5]]
    chat.answer = chatty
    chat.received.clear()
    again = reword_store(store, tmp_path / "new", experts=experts(chat, tmp_path), rewording=REWORDING)
    assert [asked(body) for _, _, body in chat.received] == questions[len(answered) :]
    assert again.hash == calm.hash


def test_a_finished_run_asks_nothing_more(store: Path, chat: LoopbackChat, tmp_path: Path) -> None:
    first = reword_store(store, tmp_path / "new", experts=experts(chat, tmp_path), rewording=REWORDING)
    chat.answer = None
    assert reword_store(store, tmp_path / "new", experts=experts(chat, tmp_path), rewording=REWORDING) == first


def test_an_unfinished_store_itself_and_another_rewording_are_refused(
    store: Path, chat: LoopbackChat, tmp_path: Path
) -> None:
    model = experts(chat, tmp_path)
    drawn_store(tmp_path / "half", sealed=False)
    with pytest.raises(RequestError, match="not finished"):
        reword_store(tmp_path / "half", tmp_path / "new", experts=model, rewording=REWORDING)
    with pytest.raises(RequestError, match="both stores"):
        reword_store(store, store, experts=model, rewording=REWORDING)
    with pytest.raises(DataError, match="manifest"):
        reword_store(tmp_path / "nowhere", tmp_path / "new", experts=model, rewording=REWORDING)
    reword_store(store, tmp_path / "new", experts=model, rewording=REWORDING)
    with pytest.raises(RequestError, match="rewording"):
        reword_store(store, tmp_path / "new", experts=model, rewording=Rewording(voices=("concise",)))


def test_a_reworded_store_is_read_by_datasets(store: Path, chat: LoopbackChat, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="needs the extra `data`")
    reword_store(store, tmp_path / "new", experts=experts(chat, tmp_path), rewording=REWORDING)
    rows = datasets.load_dataset(str(tmp_path / "new"), split="train", cache_dir=str(tmp_path / "cache"))
    assert rows["uid"] == [one.uid for one in read_records(store)]
