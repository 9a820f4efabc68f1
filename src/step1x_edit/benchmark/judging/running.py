"""Judges an editor's pictures: what is known is read, what is not is asked, and every case ends as one line of the log."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from step1x_edit.benchmark.cases.case import JudgeableCase
from step1x_edit.benchmark.judging.answers import AnswerStore, question_key
from step1x_edit.benchmark.judging.asking import SERVICE, Waiting, ask_question
from step1x_edit.benchmark.judging.judges import Judge
from step1x_edit.benchmark.judging.pace import Pace
from step1x_edit.benchmark.judging.pictures import CasePictures, PictureHashes, find_pictures, not_made
from step1x_edit.benchmark.running import write_whole
from step1x_edit.errors import DataError, ExpertError
from step1x_edit.schema.judged import Answer, JudgedCase, JudgeSettings, Question
from step1x_edit.store.lock import locked

__all__ = ["Judging", "OpenQuestion", "judge_folder", "open_judging"]

QUESTIONS: tuple[Question, ...] = ("consistency", "quality")
READERS = 4
"""Threads that read and hash files."""
GIVING_UP = 25
"""Questions in a row that nobody answered, each after all its tries; then the service is taken to be down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenQuestion:
    """A question without an answer yet."""

    key: str
    question: Question
    pictures: CasePictures


def judge_folder(folder: Path, settings: JudgeSettings) -> Path:
    """Return where a judge's files go: model and a hash of all settings, below the editor's folder."""
    name = re.sub(r"[^\w.]+", "-", settings.model).strip("-.") or "judge"
    digest = sha256(settings.model_dump_json().encode()).hexdigest()
    return folder / "judged" / f"{name[:60]}-{digest[:8]}"


@contextmanager
def open_judging(
    folder: Path, cases: Sequence[JudgeableCase], judge: Judge, *, ask_again: bool = False
) -> Iterator[Judging]:
    """Look at all pictures and kept answers, and keep others from judging the same while the block runs.

    Args:
        folder: The editor's, ``results/METHOD``, in the official layout.
        cases: What the editor was given, in the order of the log.
        judge: Who judges.
        ask_again: Ask questions without scores once more, though they were answered.

    Raises:
        DataError: The folder holds no picture of any case.
        RequestError: Somebody else is judging there.
    """
    if not folder.is_dir():
        raise _nothing(folder)
    place = judge_folder(folder, judge.settings)
    with locked(place):
        hashes, reasons = PictureHashes(place / "hashes.json"), not_made(folder)
        with ThreadPoolExecutor(READERS) as readers:
            found = list(readers.map(lambda case: find_pictures(folder, case, hashes=hashes, reasons=reasons), cases))
        if not any(one.edited_sha256 for one in found) and not reasons:
            raise _nothing(folder)
        hashes.write()
        yield Judging(place, found, judge, ask_again=ask_again)


class Judging:
    """The questions about an editor's pictures, answered and open.

    Args:
        place: Folder of the judge's files.
        pictures: Of every case, in the order of the log.
        judge: Who judges.
        ask_again: Open questions are also those that were answered without scores.
    """

    def __init__(self, place: Path, pictures: Sequence[CasePictures], judge: Judge, *, ask_again: bool) -> None:
        self.place = place
        self._pictures, self._judge = pictures, judge
        self._answers = AnswerStore(place / "answers.jsonl")
        self._unanswered: dict[str, Answer] = {}
        self.open_questions = tuple(self._find_open(ask_again=ask_again))

    def ask(
        self,
        *,
        at_once: int = 4,
        per_minute: int | None = None,
        waiting: Waiting | None = None,
        on_progress: Callable[[int], None] = lambda _done: None,
    ) -> None:
        """Ask all open questions; each answer is on disk before the next is counted.

        Args:
            at_once: Questions under way at a time.
            per_minute: At most so many requests a minute, further tries included.
            waiting: Back-off between tries.
            on_progress: Told how many questions are done.

        Raises:
            ExpertError: The service answers nobody; what was answered is kept.
        """
        pace, waiting = Pace(per_minute), waiting or Waiting()
        with ThreadPoolExecutor(min(at_once, self._judge.at_most_at_once or at_once)) as askers:
            under_way = {askers.submit(self._ask_one, one, pace, waiting): one for one in self.open_questions}
            try:
                self._collect(under_way, on_progress)
            finally:
                askers.shutdown(wait=True, cancel_futures=True)
                self._keep_late(under_way)

    def rows(self) -> tuple[JudgedCase, ...]:
        """Return one row for every case, whatever became of it."""
        return tuple(self._row(one) for one in self._pictures)

    def write_log(self) -> tuple[JudgedCase, ...]:
        """Write settings, questions and the sample log; return its rows."""
        rows = self.rows()
        settings = json.dumps(self._judge.settings.model_dump(mode="json"), ensure_ascii=False, indent=1)
        write_whole(self.place / "settings.json", f"{settings}\n".encode())
        for question, text in zip(
            QUESTIONS, (self._judge.prompts.consistency, self._judge.prompts.quality), strict=True
        ):
            write_whole(self.place / "prompts" / f"{question}.txt", text.encode())
        write_whole(self.place / "log.jsonl", "".join(f"{row.model_dump_json()}\n" for row in rows).encode())
        return rows

    def _find_open(self, *, ask_again: bool) -> Iterator[OpenQuestion]:
        seen: set[str] = set()
        for one in self._pictures:
            for question in QUESTIONS if one.edited_sha256 else ():
                key = self._key(one, question)
                kept = self._answers.get(key)
                known = kept is not None and not (ask_again and kept.scores is None)
                # Two cases may ask the same, such as the quality of a picture that was left alone.
                if not known and key not in seen:
                    seen.add(key)
                    yield OpenQuestion(key=key, question=question, pictures=one)

    def _key(self, one: CasePictures, question: Question) -> str:
        hashes = (one.source_sha256, one.edited_sha256 or "")
        return question_key(self._judge.settings, question, one.case.instruction, hashes)

    def _ask_one(self, one: OpenQuestion, pace: Pace, waiting: Waiting) -> Answer:
        source, edited = one.pictures.open()
        shown = (source, edited) if one.question == "consistency" else (edited,)
        text = self._judge.prompts.asked(one.question, one.pictures.case.instruction)
        return ask_question(self._judge, text, shown, waiting=waiting, before_each=pace.wait)

    def _collect(self, under_way: dict[Future[Answer], OpenQuestion], on_progress: Callable[[int], None]) -> None:
        silent = 0
        for done, future in enumerate(as_completed(under_way), start=1):
            answer = future.result()
            self._keep(under_way.pop(future).key, answer)
            silent = silent + 1 if answer.failure.startswith(SERVICE) else 0
            if silent >= GIVING_UP:
                raise ExpertError(
                    given=f"{silent} questions in a row that nobody answered ({answer.failure})",
                    expected="a service that is up",
                    remedy="See what it objects to, or run the same command again later; every answer so far is kept.",
                )
            on_progress(done)

    def _keep_late(self, under_way: dict[Future[Answer], OpenQuestion]) -> None:
        """Keep what came while the run was being stopped: it was paid for."""
        for future, one in under_way.items():
            if not future.cancelled() and future.exception() is None:
                self._keep(one.key, future.result())

    def _keep(self, key: str, answer: Answer) -> None:
        # That nobody answered says nothing about the picture: the next run asks again.
        if answer.failure.startswith(SERVICE):
            self._unanswered[key] = answer
        else:
            self._answers.put(key, answer)

    def _row(self, one: CasePictures) -> JudgedCase:
        answers: dict[Question, Answer] = {}
        for question in QUESTIONS if one.edited_sha256 else ():
            key = self._key(one, question)
            answer = self._unanswered.get(key) or self._answers.get(key)
            if answer is not None:
                answers[question] = answer
        return JudgedCase(
            case=one.case.id,
            instruction=one.case.instruction,
            intersection=one.case.intersection,
            source_sha256=one.source_sha256,
            edited_sha256=one.edited_sha256,
            missing=one.missing,
            answers=answers,
        )


def _nothing(folder: Path) -> DataError:
    return DataError(
        given=f"{folder}, in which there is no edited picture of any of the cases",
        expected="results/METHOD with fullset/TASK/LANGUAGE/KEY.png",
        remedy="Run an editor over the cases with `step1x bench run`, or name the folder of another method.",
    )
