"""Pairs in; out come examples after VAE and multimodal LLM, encoded once and kept on disk; then both networks are let go."""

from step1x_edit.training.cache.encoders import EncodingParts, ReleaseEncoders, encoding_hash, release_encoders
from step1x_edit.training.cache.examples import CachedExamples
from step1x_edit.training.cache.filling import CacheProgress, fill_cache

__all__ = [
    "CacheProgress",
    "CachedExamples",
    "EncodingParts",
    "ReleaseEncoders",
    "encoding_hash",
    "fill_cache",
    "release_encoders",
]
