"""A store → a new store whose triplets have further wordings by a multimodal LLM, each held to what was done.

The old store is only read. The new one keeps its pictures, records and rejections; beside them lies what the model said::

    wordings/00000.jsonl   every line of every answer, a file for each shard: taken, or refused with its reason
    .answers/              the answers as they came, so that no question is asked twice, however a run ends

Which store, which model and what was asked stand among the settings of the manifest, and therefore in its hash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
from pydantic import BaseModel, ConfigDict

from step1x_edit import __version__
from step1x_edit.data_engine.instructions.recalling import recalled_wish
from step1x_edit.data_engine.instructions.rewriting import Complaint, can_be_held, rewritten
from step1x_edit.data_engine.instructions.vocabulary import Language
from step1x_edit.errors import RequestError
from step1x_edit.experts.caching import CachedExperts
from step1x_edit.experts.expert_set import ExpertSet
from step1x_edit.schema.triplet import InstructionVariant, Voice
from step1x_edit.store import (
    EncodedTriplet,
    Manifest,
    Shard,
    locked,
    open_store,
    read_manifest,
    read_shard,
    read_store_info,
    seal_store,
    write_shard,
)
from step1x_edit.store.picture_codec import decode_picture
from step1x_edit.store.shard import written_whole

__all__ = ["Rewording", "Wording", "read_wordings", "reword_store"]

WORDINGS, ANSWERS = "wordings", ".answers"
LANGUAGES: tuple[Language, ...] = get_args(Language)
VOICES: tuple[Voice, ...] = get_args(Voice)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewording:
    """What is asked of each triplet."""

    voices: tuple[Voice, ...] = VOICES
    """One question for each of them, in each language."""
    count: int = 2
    """Wordings that are asked for in a question."""
    seed: int = 0
    """Chooses the examples that a question shows."""


class Wording(BaseModel):
    """One line that the model said, or one question that could not be asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uid: str
    """Of the triplet."""
    language: Language
    voice: Voice
    text: str = ""
    refused: Complaint | None = None
    """Why it was not taken."""
    unasked: bool = False
    """Nothing was asked: the triplet names nothing that a text in this language could be held to."""

    @property
    def taken(self) -> bool:
        """Whether it is among the triplet's wordings now."""
        return not self.unasked and self.refused is None


def reword_store(
    source: Path,
    out: Path,
    *,
    experts: ExpertSet,
    rewording: Rewording,
    at_once: int = 1,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Manifest:
    """Write a store with further wordings, or go on with one.

    Args:
        source: The store; its build must be finished.
        out: Where the new store is or will be.
        experts: Where ``ask`` is present.
        rewording: What is asked.
        at_once: Triplets that are asked about at the same time.
        on_progress: Called with the number of triplets that are done.

    Returns:
        The sealed manifest of the new store.

    Raises:
        RequestError: The source is not finished, or ``out`` holds something else.
        DataError: There is no store, or the disk is full.
        ExpertError: The model failed; what it answered before is kept, and the same call goes on.
        MissingExtra: There is no model.
    """
    manifest, done = _finished(source, out), 0
    told = {
        "of": manifest.hash,
        "model": experts.part("ask").part,
        "voices": list(rewording.voices),
        "count": rewording.count,
        "seed": rewording.seed,
        "version": __version__,
    }
    remembering = CachedExperts(experts, out / ANSWERS)
    with locked(out), ThreadPoolExecutor(at_once) as threads:
        open_store(
            out,
            settings={**manifest.settings, "rewording": told},
            pipeline_version=manifest.pipeline_version,
            attempts=manifest.attempts_wanted,
            shard_attempts=manifest.shard_attempts,
        )
        there = {one.number for one in read_store_info(out).shards}
        for facts in read_store_info(source).shards:
            if facts.number not in there:
                shard = read_shard(source, facts)
                said = []
                for row in threads.map(partial(_said, experts=remembering, rewording=rewording), shard.triplets):
                    said.append(row)
                    on_progress(done + len(said))
                _write_shard(out, shard, said, writer=told["model"])
            done += sum(facts.kept.values())
            on_progress(done)
        return seal_store(out)


def read_wordings(folder: Path) -> Iterator[Wording]:
    """Yield what the model said about the triplets of a reworded store, in their order."""
    for path in sorted((folder / WORDINGS).glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield Wording.model_validate_json(line)


def _finished(source: Path, out: Path) -> Manifest:
    manifest = read_manifest(source)
    if manifest.hash is None:
        raise RequestError(
            given=f"{source}, whose build is not finished",
            expected="a finished store",
            remedy="Run its build command again first.",
        )
    if out.resolve() == source.resolve():
        raise RequestError(
            given=f"{out} as both stores", expected="a new folder", remedy="Choose another one with --out."
        )
    return manifest


def _write_shard(out: Path, shard: Shard, said: Sequence[Sequence[Wording]], *, writer: str) -> None:
    # The wordings first: a shard that is there has them.
    with written_whole(out / WORDINGS / f"{shard.number:05}.jsonl") as part:
        lines = (one.model_dump_json(exclude_defaults=True) for row in said for one in row)
        part.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    triplets = [_extended(one, row, writer) for one, row in zip(shard.triplets, said, strict=True)]
    write_shard(out, replace(shard, triplets=triplets))


def _said(one: EncodedTriplet, experts: ExpertSet, rewording: Rewording) -> list[Wording]:
    """Ask about a triplet in every language and voice, and return all that was said."""
    pictures = [decode_picture(one.reference), decode_picture(one.target)]
    texts = {variant.text for variant in one.record.instruction_variants}
    said: list[Wording] = []
    for number, language in enumerate(LANGUAGES):
        wish = recalled_wish(one.record, language)
        for voice in rewording.voices:
            line = partial(Wording, uid=one.record.uid, language=language, voice=voice)
            if wish is None or not can_be_held(wish, language):
                said.append(line(unasked=True))
                continue
            answer = rewritten(
                wish,
                experts=experts,
                pictures=pictures,
                language=language,
                voice=voice,
                count=rewording.count,
                known=texts,
                rng=np.random.default_rng([rewording.seed, one.record.provenance.attempt, number, VOICES.index(voice)]),
            )
            texts.update(kept.text for kept in answer.kept)
            said += [line(text=kept.text) for kept in answer.kept]
            said += [line(text=refused.text, refused=refused.reason) for refused in answer.refused]
    return said


def _extended(one: EncodedTriplet, said: Sequence[Wording], writer: str) -> EncodedTriplet:
    """Return a triplet with what was taken behind the wordings that it has."""
    new = [
        InstructionVariant(language=line.language, voice=line.voice, text=line.text, writer=writer)
        for line in said
        if line.taken
    ]
    variants = (*one.record.instruction_variants, *new)
    return replace(one, record=one.record.model_copy(update={"instruction_variants": variants}))
