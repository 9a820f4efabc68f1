"""The report shows what was rejected: made again where pool, parts and version are those of the build, else in words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from drawn_pool import drawn_pool, write_pool_files

from step1x_edit import __version__
from step1x_edit.data_engine.pool import Pool
from step1x_edit.data_engine.remaking import remaker
from step1x_edit.data_engine.report import html_report
from step1x_edit.data_engine.run.hire import Hire, fingerprint
from step1x_edit.data_engine.run.settings import RunSettings, TaskShare
from step1x_edit.data_engine.sources.assembly import REJECTIONS, rejection
from step1x_edit.data_engine.sources.offers import Known
from step1x_edit.data_engine.sources.refusals import by_kind, read_refusals
from step1x_edit.data_engine.sources.shelf import Refused
from step1x_edit.errors import DataError, RequestError
from step1x_edit.schema.tasks import EditTask
from step1x_edit.schema.triplet import Rejection
from step1x_edit.store import (
    EncodedTriplet,
    Shard,
    open_store,
    read_manifest,
    read_rejections,
    seal_store,
    write_shard,
)

pytest.importorskip("pyarrow", reason="needs the extra `data`")

ATTEMPTS, PARTS = 4, Path("no parts here")
REASONS = {
    "a.png": "Given a picture of 9 x 9 pixels; expected sides of at least 64 pixels. Leave it out.",
    "b.png": "Given a picture of 40 x 30 pixels; expected sides of at least 64 pixels. Leave it out.",
    "c.png": "The same file as x/<d>.png.",
}


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_pool_files(drawn_pool(), tmp_path_factory.mktemp("drawn") / "pool")
    refused = [rejection(uri, Known(dataset="d"), Refused(stage="reading", reason=why)) for uri, why in REASONS.items()]
    (folder / REJECTIONS).write_text("".join(f"{one.model_dump_json()}\n" for one in refused), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def store(pool: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four attempts at another material, of which the filters reject some."""
    settings = RunSettings(
        tasks=(TaskShare(task=EditTask.MATERIAL_MODIFICATION),),
        size=128,
        seed=4,
        photographic=False,
        sources=fingerprint(Pool.open(pool)),
    )
    folder = tmp_path_factory.mktemp("made") / "store"
    open_store(
        folder, settings=settings.told(), pipeline_version=__version__, attempts=ATTEMPTS, shard_attempts=ATTEMPTS
    )
    made = list(map(Hire(pool=pool, settings=settings, parts=PARTS)(), range(ATTEMPTS)))
    triplets = [one for one in made if isinstance(one, EncodedTriplet)]
    rejections = [one for one in made if isinstance(one, Rejection)]
    write_shard(
        folder,
        Shard(number=0, first_attempt=0, attempts=ATTEMPTS, split="train", triplets=triplets, rejections=rejections),
    )
    seal_store(folder)
    assert triplets and rejections
    return folder


def figures(page: str) -> list[str]:
    return re.findall(r'<figure class="rejected">.*?</figure>', page)


def test_rejected_attempts_are_shown_with_reference_target_and_reason(store: Path, pool: Path) -> None:
    page = html_report(store, per_task=5, remaker=remaker(read_manifest(store), pool, parts=PARTS))
    rejected = list(read_rejections(store))
    assert len(figures(page)) == len(rejected)
    for one, figure in zip(rejected, figures(page), strict=True):
        assert figure.count("data:image/webp;base64,") == 2
        assert one.reason in figure and one.stage in figure
    assert "http" not in page and "<script" not in page


def test_without_the_pool_they_are_told_in_words(store: Path) -> None:
    page = html_report(store, per_task=5)
    assert len(figures(page)) == len(list(read_rejections(store)))
    assert not any("data:image" in figure for figure in figures(page))
    assert "Source files" not in page


def test_a_record_that_names_other_pictures_is_not_shown_with_these(store: Path, pool: Path) -> None:
    maker = remaker(read_manifest(store), pool, parts=PARTS)
    one = next(read_rejections(store))
    other = one.model_copy(update={"provenance": one.provenance.model_copy(update={"sources": ("0" * 16,)})})
    assert maker.remade(one) is not None
    assert maker.remade(other) is None
    assert maker.remade(one.model_copy(update={"stage": "death"})) is None


def test_another_pool_and_another_version_are_refused(store: Path, pool: Path) -> None:
    manifest = read_manifest(store)
    with pytest.raises(DataError, match="a pool"):
        remaker(manifest, store, parts=PARTS)
    renamed = manifest.model_copy(update={"settings": {**manifest.settings, "sources": "another"}})
    with pytest.raises(RequestError, match="another pool"):
        remaker(renamed, pool, parts=PARTS)
    with pytest.raises(RequestError, match="another version"):
        remaker(manifest.model_copy(update={"pipeline_version": "0.0.9"}), pool, parts=PARTS)


def test_refused_files_are_counted_by_kind_and_named(store: Path, pool: Path) -> None:
    refused = read_refusals(pool)
    assert by_kind(refused) == {"expected sides of at least 64 pixels": 2, "a second copy of a file": 1}
    page = html_report(store, per_task=5, remaker=remaker(read_manifest(store), pool, parts=PARTS))
    files = len({one.sha256 for one in drawn_pool().pictures})
    assert f"<tr><td>files<td><td>{files + 3}" in page
    assert f"<tr><td>a second copy of a file<td>1<td>{files}" in page
    assert "c.png: The same file as x/&lt;d&gt;.png." in page


def test_a_pool_without_a_list_of_refused_files_has_refused_none(tmp_path: Path) -> None:
    assert read_refusals(tmp_path) == ()
    (tmp_path / REJECTIONS).write_text("no record\n", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be read"):
        read_refusals(tmp_path)
