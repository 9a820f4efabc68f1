"""Detector, tagger, reader, features and faces: on real parts where they are present, and on broken files always."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont
from real_parts import skip_without

from step1x_edit.errors import ExpertError, MissingExtra
from step1x_edit.experts.embedded import EmbeddedExperts
from step1x_edit.experts.face_mesh import FaceMesh
from step1x_edit.experts.object_detector import ObjectDetector, coco_labels
from step1x_edit.experts.picture_features import MobileNetV2, PictureFeatures
from step1x_edit.experts.picture_tagger import PictureTagger
from step1x_edit.experts.text_reader import TextReader

PHOTO = Path(__file__).parents[2] / "examples" / "photo.jpg"

EXPERTS: dict[str, Callable[[Path], object]] = {
    "detect": ObjectDetector,
    "tag": lambda file: PictureTagger(param=file, weights=file, words=file),
    "read_text": lambda file: TextReader(detector=file, recogniser=file),
    "features": PictureFeatures,
    "face_landmarks": lambda file: FaceMesh(detector=file, mesh=file),
}


@pytest.mark.parametrize("name", EXPERTS)
def test_a_file_that_is_not_there_is_missing(name, tmp_path):
    with pytest.raises(MissingExtra, match="step1x data setup"):
        EXPERTS[name](tmp_path / "nothing")


@pytest.mark.parametrize("name", EXPERTS)
def test_a_broken_file_is_named(name, tmp_path):
    (tmp_path / "broken.bin").write_bytes(b"\x00\x01 this is no model \xff" * 40)
    with pytest.raises(ExpertError, match=r"broken\.bin"):
        EXPERTS[name](tmp_path / "broken.bin")


class Exploding:
    """What a file that wants to run code would hold."""

    def __reduce__(self):
        return (Path.touch, (Path("exploded"),))


def test_weights_that_would_run_code_are_refused_unread(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"features.0.0.weight": Exploding()}, tmp_path / "weights.pt")
    with pytest.raises(ExpertError, match=r"weights\.pt"):
        PictureFeatures(tmp_path / "weights.pt")
    assert not (tmp_path / "exploded").exists()


def test_mobilenet_has_the_sizes_of_its_paper():
    network = MobileNetV2().eval()
    assert sum(weights.numel() for weights in network.parameters()) == 2_223_872
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 64, 96)).shape == (1, 1280)


def test_there_are_eighty_classes_to_detect():
    assert len(set(coco_labels())) == 80
    assert (coco_labels()[0], coco_labels()[-1]) == ("person", "toothbrush")


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    with Image.open(PHOTO) as picture:
        return np.asarray(picture.convert("RGB").resize((384, 256)))


def test_answers_have_the_promised_form(experts: EmbeddedExperts, photo):
    skip_without(experts, "detect")
    skip_without(experts, "tag")
    found = experts.detect(photo)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    for one in found:
        left, top, right, bottom = one.box
        assert one.label in coco_labels()
        assert 0 <= left < right <= 384
        assert 0 <= top < bottom <= 256
    tags = experts.tag(photo)
    assert len(tags) == 5
    assert 0 < sum(tag.score for tag in tags) <= 1.0001


def test_a_picture_gives_the_same_tags_each_time(experts: EmbeddedExperts, photo):
    skip_without(experts, "tag")
    first = experts.tag(photo)
    for _ in range(20):
        np.random.default_rng(0).random((3, 300, 300))
        assert experts.tag(photo) == first


def test_a_printed_line_is_read_where_it_stands(experts: EmbeddedExperts):
    skip_without(experts, "read_text")
    picture = Image.new("RGB", (320, 320), (230, 225, 200))
    ImageDraw.Draw(picture).text((30, 60), "NO PARKING", fill=(20, 20, 30), font=ImageFont.load_default(36))
    ImageDraw.Draw(picture).text((30, 200), "OPEN", fill=(160, 20, 30), font=ImageFont.load_default(36))
    first, second = experts.read_text(np.asarray(picture))
    assert (first.text.replace(" ", ""), second.text) == ("NOPARKING", "OPEN")
    assert np.abs(first.corners[0] - (30, 65)).max() < 12
    assert first.corners[1, 0] > first.corners[0, 0] + 150
    assert min(first.score, second.score) > 0.8


@pytest.mark.parametrize("size", [(8, 8), (900, 3), (3, 900), (640, 480)])
def test_an_empty_picture_of_any_shape_holds_nothing(experts: EmbeddedExperts, size):
    for name in ("read_text", "face_landmarks", "detect"):
        skip_without(experts, name)
    empty = np.full((*size, 3), 127, np.uint8)
    assert (experts.read_text(empty), experts.face_landmarks(empty), experts.detect(empty)) == ((), (), ())


def test_features_have_unit_length_and_know_a_picture_again(experts: EmbeddedExperts, photo):
    skip_without(experts, "features")
    noise = np.random.default_rng(0).integers(0, 256, photo.shape, dtype=np.uint8)
    plain, dark, other = (experts.features(one) for one in (photo, (photo * 0.7).astype(np.uint8), noise))
    assert plain.dtype == np.float32
    assert np.linalg.norm(plain) == pytest.approx(1, abs=1e-5)
    assert plain @ dark > 0.75 > plain @ other
