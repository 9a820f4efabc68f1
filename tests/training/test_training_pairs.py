"""Pairs come out alike whatever form they are kept in, and say where they come from when they are broken."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from drawn_pairs import edited, instruction, mask_of, scene, table_rows, write_csv, write_folder, write_jsonl
from PIL import Image

from step1x_edit.errors import DataError
from step1x_edit.training.config import SourceConfig
from step1x_edit.training.pairs import MissingPartner, PairSource, UnreadablePicture, open_pairs

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))

COUNT = 3


def opened(path: object, **options: object) -> PairSource:
    return open_pairs(SourceConfig(path=str(path), **options))


def require_drawn_pairs(source: PairSource, *, mask: bool = True) -> None:
    assert len(source) == COUNT
    for number in range(COUNT):
        pair, facts = source.pair(number), source.facts(number)
        assert pair.reference is not None
        assert np.array_equal(pair.reference, scene(number))
        assert np.array_equal(pair.target, edited(scene(number)))
        assert pair.instructions["en"] == facts.instructions["en"] == instruction(number)
        assert (pair.mask is not None) == mask
        assert pair.mask is None or np.array_equal(pair.mask, np.asarray(mask_of()) > 127)
        assert facts.has_reference and facts.target_size == pair.target.size and facts.id == pair.id
    assert len({source.content(number).target for number in range(COUNT)}) == COUNT


def test_files_of_equal_names_are_pairs(tmp_path):
    source = opened(write_folder(tmp_path / "pairs", COUNT))
    require_drawn_pairs(source)
    assert source.pair(1).instructions["zh"] == "把方块1涂成红色。"


@pytest.mark.parametrize("write", [write_csv, write_jsonl])
def test_a_table_names_pairs(tmp_path, write):
    folder = write_folder(tmp_path, COUNT)
    table = write(folder, table_rows(COUNT))
    require_drawn_pairs(opened(folder))
    require_drawn_pairs(opened(table))


def test_rows_without_a_reference_are_text_to_image(tmp_path):
    folder = write_folder(tmp_path, COUNT)
    source = opened(write_csv(folder, [row | {"reference": ""} for row in table_rows(COUNT)]))
    assert source.pair(0).reference is None and source.content(0).reference is None
    assert not source.facts(0).has_reference


def test_the_official_trainers_json_is_read_by_itself_and_through_its_toml(tmp_path):
    folder = write_folder(tmp_path / "pairs", COUNT)
    entries = {
        row["target"]: {"ref_image_path": row["reference"], "caption": row["instruction"]} for row in table_rows(COUNT)
    }
    table = folder / "metadata.json"
    table.write_text(json.dumps(entries), encoding="utf-8")
    require_drawn_pairs(opened(table), mask=False)
    toml = tmp_path / "data.toml"
    toml.write_text(
        '[[datasets]]\nresolution = 768\n[[datasets.subsets]]\nimage_dir = "pairs"\n'
        'metadata_file = "pairs/metadata.json"\n',
        encoding="utf-8",
    )
    require_drawn_pairs(opened(toml), mask=False)


def test_a_data_set_on_disk_is_read_by_the_usual_column_names(tmp_path):
    datasets = pytest.importorskip("datasets", reason="needs the extra `train`")
    rows = {
        "input_image": [scene(number) for number in range(COUNT)],
        "edit_prompt": [instruction(number) for number in range(COUNT)],
        "edited_image": [edited(scene(number)) for number in range(COUNT)],
        "mask_img": [mask_of() for _ in range(COUNT)],
    }
    pictures = {name: datasets.Image() for name in ("input_image", "edited_image", "mask_img")}
    dataset = datasets.Dataset.from_dict(
        rows, features=datasets.Features({"edit_prompt": datasets.Value("string"), **pictures})
    )
    dataset.save_to_disk(tmp_path / "saved")
    require_drawn_pairs(opened(tmp_path / "saved"))
    renamed = dataset.rename_columns({"input_image": "a", "edited_image": "b", "edit_prompt": "c"}).remove_columns(
        "mask_img"
    )
    renamed.save_to_disk(tmp_path / "renamed")
    with pytest.raises(DataError, match="Say which is which"):
        opened(tmp_path / "renamed")
    columns = {"reference": "a", "target": "b", "instruction": "c"}
    require_drawn_pairs(opened(tmp_path / "renamed", columns=columns), mask=False)


def test_parquet_files_are_a_data_set(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets", reason="needs the extra `train`")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    rows = {
        "source_image": [scene(number) for number in range(COUNT)],
        "instruction": [instruction(number) for number in range(COUNT)],
        "target_image": [edited(scene(number)) for number in range(COUNT)],
    }
    features = datasets.Features(
        {"source_image": datasets.Image(), "instruction": datasets.Value("string"), "target_image": datasets.Image()}
    )
    datasets.Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "train-00000.parquet")
    require_drawn_pairs(opened(tmp_path / "train-00000.parquet"), mask=False)


def test_a_name_in_the_hub_cache_is_read_from_there(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets", reason="needs the extra `train`")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    kept = tmp_path / "hub" / "datasets--someone--edits"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text("0123456")
    rows = {
        "src_img": [scene(number) for number in range(COUNT)],
        "edited_prompt_list": [[instruction(number), "another wording"] for number in range(COUNT)],
        "edited_img": [edited(scene(number)) for number in range(COUNT)],
    }
    words = datasets.List(datasets.Value("string"))
    features = datasets.Features(
        {"src_img": datasets.Image(), "edited_prompt_list": words, "edited_img": datasets.Image()}
    )
    for split in ("train", "test"):
        path = kept / "snapshots" / "0123456" / "data" / f"{split}-00000-of-00001.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        datasets.Dataset.from_dict(rows, features=features).to_parquet(path)
    require_drawn_pairs(opened("someone/edits"), mask=False)


def test_a_store_gives_its_training_triplets_and_one_wording_of_each_language(tmp_path):
    pytest.importorskip("pyarrow", reason="needs the extra `data`")
    from drawn_triplets import encoded, triplet

    from step1x_edit.store import Shard, write_shard

    for number, split in enumerate(("train", "held_out")):
        rows = [encoded(10 * number + row) for row in range(COUNT)]
        write_shard(
            tmp_path,
            Shard(number=number, first_attempt=0, attempts=COUNT, split=split, triplets=rows, rejections=[]),
        )
    source = opened(tmp_path)
    assert len(source) == COUNT
    for number in range(COUNT):
        pair, drawn = source.pair(number), triplet(number)
        assert np.array_equal(pair.reference, drawn.reference) and np.array_equal(pair.target, drawn.target)
        assert pair.mask is not None and np.array_equal(pair.mask, drawn.mask)
        assert pair.instructions["en"] in ("Add a bright square.", "bright square pls")
        assert pair.instructions["zh"] == "加一个亮方块。"
        assert source.content(number).target == drawn.record.target.sha256


def test_a_missing_partner_is_named_when_its_pair_is_asked_for(tmp_path):
    source = opened(write_folder(tmp_path, COUNT))
    (tmp_path / "target" / "1.png").unlink()
    source = opened(tmp_path)
    assert len(source) == COUNT
    with pytest.raises(MissingPartner, match="the target of pair '1'"):
        source.pair(1)
    with pytest.raises(MissingPartner):
        source.facts(1)


def test_a_damaged_picture_is_named(tmp_path):
    source = opened(write_folder(tmp_path, COUNT))
    data = (tmp_path / "target" / "1.png").read_bytes()
    (tmp_path / "target" / "1.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(UnreadablePicture, match="the target of pair '1'"):
        source.pair(1)
    (tmp_path / "target" / "1.png").write_bytes(b"nothing")
    with pytest.raises(UnreadablePicture):
        source.facts(1)


def test_a_turned_photograph_has_its_upright_size(tmp_path):
    write_folder(tmp_path, 1, (96, 64))
    exif = Image.Exif()
    exif[0x0112] = 6
    scene(0, (96, 64)).save(tmp_path / "target" / "0.jpg", exif=exif)
    (tmp_path / "target" / "0.png").unlink()
    source = opened(tmp_path)
    assert source.facts(0).target_size == source.pair(0).target.size == (64, 96)


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda folder: folder / "absent", "Check the path"),
        (lambda folder: folder, "in which there is no pair"),
        (lambda folder: write_jsonl(folder, []), "in which there is no pair"),
        (lambda folder: write_csv(folder, [{"reference": "a.png", "instruction": "x"}]), "has no target"),
        (lambda folder: _text(folder / "pairs.jsonl", "{broken"), "cannot be read"),
        (lambda folder: _text(folder / "meta.json", '{"a.png": 3}'), "not the official trainer's"),
        (lambda folder: _text(folder / "meta.json", "["), "not the official trainer's"),
        (lambda folder: _text(folder / "data.toml", "a = 1"), "not the official trainer's"),
    ],
)
def test_what_is_no_source_is_refused_in_a_sentence(tmp_path, write, said):
    with pytest.raises(DataError, match=said):
        opened(write(tmp_path))


def test_a_name_that_is_not_in_the_hub_cache_is_not_downloaded():
    pytest.importorskip("datasets", reason="needs the extra `train`")
    with pytest.raises(DataError, match="hf download"):
        opened("nobody/never-was-such-a-set")


def _text(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path
