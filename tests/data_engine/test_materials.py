"""Material modification: an object in other matter, its outline and its drawing kept, the rest untouched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn_matcaps import drawn_matcaps, sphere

from step1x_edit.data_engine.materials import Matcaps, drawn_texture, materials
from step1x_edit.data_engine.pair import EditPair, Refusal
from step1x_edit.data_engine.pool import Pool
from step1x_edit.data_engine.recipes import material_modification
from step1x_edit.data_engine.recipes.material_modification import modify_material
from step1x_edit.data_engine.stages.stage import Stage
from step1x_edit.data_engine.surfaces import form_of, matcap_colour, surround
from step1x_edit.data_engine.textures import TEXTURES
from step1x_edit.errors import DataError, MissingExtra
from step1x_edit.experts.parts.store import PartStore
from step1x_edit.experts.parts.table import parts

pytest.importorskip("cv2", reason="the extra `data` is not installed")


@pytest.fixture(scope="module")
def matcaps(tmp_path_factory: pytest.TempPathFactory) -> Matcaps:
    return drawn_matcaps(tmp_path_factory.mktemp("parts"))


def disc(side: int = 96) -> np.ndarray:
    down, across = np.mgrid[:side, :side] - side / 2 + 0.5
    return np.clip(side / 2 - 6 - np.hypot(down, across), 0, 1).astype(np.float32)


def pairs_of(stage: Stage, count: int) -> list[EditPair]:
    made = [modify_material(stage, np.random.default_rng(index)) for index in range(count)]
    return [one for one in made if not isinstance(one, Refusal)]


def test_every_material_has_names_in_both_languages_and_one_look_that_exists() -> None:
    assert len(materials()) >= 14
    files = {file.name for archive in parts()[Matcaps.PART].archives for file in archive.files}
    for one in materials().values():
        assert one.en[0] == one.name
        assert one.zh
        assert bool(one.matcaps) != bool(one.texture)
        assert {f"{number}.webp.js" for number in one.matcaps} <= files
        assert not one.texture or one.texture in TEXTURES


def test_a_disc_is_inflated_to_a_half_sphere() -> None:
    alpha = disc()
    form = form_of(np.full_like(alpha, 0.5), alpha, relief=0.02)
    middle, half = alpha.shape[0] // 2, alpha.shape[0] / 2 - 6
    row = form.normals[middle, :, 0]
    assert np.abs(form.normals[middle, middle]).max() < 0.1
    # Half-way to the rim a half-sphere leans by asin(1/2).
    assert row[middle + round(half / 2)] == pytest.approx(0.5, abs=0.12)
    assert row[middle - round(half / 2)] == pytest.approx(-0.5, abs=0.12)


def test_a_matcap_gives_each_side_of_a_thing_the_colour_of_that_side_of_the_sphere() -> None:
    alpha = disc()
    form = form_of(np.full_like(alpha, 0.5), alpha, relief=0.02)
    colour = matcap_colour(form, sphere(3))
    middle = alpha.shape[0] // 2
    assert colour[20, middle].sum() > colour[middle, middle].sum() > colour[-20, middle].sum()


@pytest.mark.parametrize("name", TEXTURES)
def test_a_texture_has_no_seam_and_is_the_same_every_time(name: str) -> None:
    tile = drawn_texture(name)
    assert tile.colour.min() > -20
    assert tile.colour.max() < 275
    inside = np.abs(np.diff(tile.colour, axis=1)).mean()
    assert np.abs(tile.colour[:, 0] - tile.colour[:, -1]).mean() < 4 * inside + 4
    assert np.array_equal(
        TEXTURES[name](np.random.default_rng(1)).colour, TEXTURES[name](np.random.default_rng(1)).colour
    )


def test_the_surround_covers_a_thing_and_leaves_the_rest() -> None:
    alpha = disc()
    picture = np.full((*alpha.shape, 3), (40, 90, 160), dtype=np.uint8)
    picture[alpha > 0] = (250, 10, 10)
    covered = surround(picture, alpha)
    assert np.abs(covered.astype(int) - (40, 90, 160)).max() < 12


def test_the_object_changes_and_nothing_else(pool: Pool, matcaps: Matcaps) -> None:
    pairs = pairs_of(Stage(pool, size=96, split="train", matcaps=matcaps), 24)
    assert len(pairs) >= 12
    assert {pair.detail for pair in pairs} <= set(materials())
    for pair in pairs:
        differs = (pair.reference != pair.target).any(axis=-1)
        assert not (differs & ~pair.changed).any()
        assert differs.mean() > 0.01
        assert pair.wish.material is not None
        assert pair.wish.subject is not None
        assert pair.stages
        assert pair.boxes


def test_a_photographed_subject_stays_in_its_untouched_photograph(pool: Pool, matcaps: Matcaps) -> None:
    stage = Stage(pool, size=96, split="train", matcaps=matcaps)
    photographed = [pair for pair in pairs_of(stage, 30) if len(pair.sources) == 1]
    assert photographed
    for pair in photographed:
        assert pair.sources[0] in {one.id for one in pool.pictures if one.kind == "subject"}


def test_without_the_part_only_drawn_textures_are_used(pool: Pool, tmp_path: Path) -> None:
    stage = Stage(pool, size=96, split="train", matcaps=Matcaps(PartStore(tmp_path)))
    for pair in pairs_of(stage, 12):
        assert materials()[pair.detail].texture


def test_a_missing_sphere_names_the_command_that_brings_it(tmp_path: Path) -> None:
    with pytest.raises(MissingExtra, match="step1x data setup materials"):
        Matcaps(PartStore(tmp_path)).sphere("0003")


def test_a_module_without_a_picture_is_refused(tmp_path: Path) -> None:
    store = PartStore(tmp_path)
    file = store.folder_of(parts()[Matcaps.PART]) / "0003.webp.js"
    file.parent.mkdir(parents=True)
    file.write_text("export default null", encoding="utf-8")
    with pytest.raises(DataError, match="data URL"):
        Matcaps(store).sphere("0003")


def test_an_object_too_small_to_show_a_material_is_refused(
    pool: Pool, matcaps: Matcaps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(material_modification, "SMALLEST", 1.0)
    refusal = modify_material(Stage(pool, size=96, split="train", matcaps=matcaps), np.random.default_rng(0))
    assert isinstance(refusal, Refusal)
    assert refusal.sources
