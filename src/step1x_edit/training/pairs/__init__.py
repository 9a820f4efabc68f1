"""Where pairs come from: a store, a folder, a data set, the official trainer's JSON; one way to read them all."""

from step1x_edit.training.pairs.opening import open_pairs
from step1x_edit.training.pairs.pair import (
    Language,
    MissingPartner,
    PairContent,
    PairFacts,
    PairSource,
    TrainingPair,
    UnreadablePicture,
)

__all__ = [
    "Language",
    "MissingPartner",
    "PairContent",
    "PairFacts",
    "PairSource",
    "TrainingPair",
    "UnreadablePicture",
    "open_pairs",
]
