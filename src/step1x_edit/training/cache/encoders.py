"""The frozen networks that encode pairs: where they come from, what tells them apart, loading them on demand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

from step1x_edit.models.checkpoint import load_vae
from step1x_edit.models.checkpoint.record import read_record
from step1x_edit.models.checkpoint.source import find_weights
from step1x_edit.models.conditioner import Conditioner
from step1x_edit.pipeline.assembly import load_multimodal_llm, load_processor
from step1x_edit.pipeline.weights import WeightPlaces, locate
from step1x_edit.schema.release import Conventions, Release
from step1x_edit.training.room import device_with_room

__all__ = ["EncodingParts", "ReleaseEncoders", "encoding_hash", "release_encoders"]

_FORM = 1
"""Counts up when what is cached changes for the same networks, as with another geometry or another form of shards."""
_NOT_ENCODED = {
    "pad_text", "reference_axis", "reference_offset", "clamp_above_time", "clamp_power", "text_to_image",
}  # fmt: skip
"""Conventions of the transformer, which leave latents and conditioning as they are."""
_WHOLE_BELOW = 32 << 20
"""Bytes up to which a file is hashed whole."""
_SAMPLES, _SAMPLE = 256, 16 << 10
"""Larger files: this many stretches of this many bytes, evenly spread, first and last included. Every tensor of a trained
network differs from its ancestor's, so a few megabytes tell two apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodingParts:
    """VAE and multimodal LLM, loaded."""

    vae: AutoencoderKL
    conditioner: Conditioner

    @property
    def conventions(self) -> Conventions:
        """How the release's weights expect their inputs."""
        return self.conditioner.conventions


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseEncoders:
    """Encoders that are loaded only when something has to be encoded."""

    hash: str
    """Of weights, conventions and number format, 32 hexadecimal digits: equal hashes encode alike."""
    load: Callable[[], EncodingParts]


def release_encoders(
    release: Release, weights: Path | None = None, *, dtype: torch.dtype, device: torch.device | None = None
) -> ReleaseEncoders:
    """Find the encoders of a release; nothing is loaded yet.

    Args:
        release: The release.
        weights: As for :func:`step1x_edit.pipeline.weights.locate`.
        dtype: Type in which they compute, and in which the cache is written.
        device: Where; the CPU by default, and for what a card has no room for.

    Raises:
        MissingRelease: A part is not on this machine.
        CheckpointError: The transformer's record contradicts itself.
    """
    places = locate(release, weights)
    conventions = _conventions(release, places)

    def load() -> EncodingParts:
        where = device or torch.device("cpu")
        vae, model = load_vae(places.vae, dtype=dtype), load_multimodal_llm(places.text_encoder, dtype=dtype)
        if where.type == "cpu":
            vae = vae.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - twice as fast there
        for network in (model, vae):
            torch.nn.Module.to(network, device_with_room(network, where))
        processor = load_processor(places.processor)
        return EncodingParts(
            vae=vae, conditioner=Conditioner(model, processor.tokenizer, processor.image_processor, conventions)
        )

    return ReleaseEncoders(hash=encoding_hash(places, conventions, dtype=dtype), load=load)


def encoding_hash(places: WeightPlaces, conventions: Conventions, *, dtype: torch.dtype) -> str:
    """Return a hash of all that decides latents and conditioning of a pair."""
    digest = hashlib.blake2b(f"{_FORM} {dtype} ".encode(), digest_size=16)
    digest.update(conventions.model_dump_json(exclude=_NOT_ENCODED).encode())
    for place in (places.vae, places.text_encoder, places.processor):
        for file in [place] if place.is_file() else sorted(one for one in place.iterdir() if one.is_file()):
            digest.update(f"{file.name} {file.stat().st_size} ".encode())
            for stretch in _stretches(file):
                digest.update(stretch)
    return digest.hexdigest()


def _conventions(release: Release, places: WeightPlaces) -> Conventions:
    files = find_weights(places.transformer, part="transformer", file_name=release.files.get("transformer"))
    stored = read_record(files).conventions
    return Conventions.model_validate(dict(stored)) if stored else release.conventions


def _stretches(path: Path) -> Iterator[bytes]:
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= _WHOLE_BELOW:
            yield file.read()
            return
        for number in range(_SAMPLES):
            file.seek((size - _SAMPLE) * number // (_SAMPLES - 1))
            yield file.read(_SAMPLE)
