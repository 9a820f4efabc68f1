"""Recipes: a stage in, one edit pair out; a file for each task of the report's section 3.1."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from step1x_edit.data_engine.pair import EditPair, Refusal
from step1x_edit.data_engine.recipes.background_change import change_background
from step1x_edit.data_engine.recipes.colour_alteration import alter_colour
from step1x_edit.data_engine.recipes.material_modification import modify_material
from step1x_edit.data_engine.recipes.style_transfer import restyle
from step1x_edit.data_engine.recipes.subject_addition import add_subject
from step1x_edit.data_engine.recipes.subject_removal import remove_subject
from step1x_edit.data_engine.recipes.subject_replacement import replace_subject
from step1x_edit.data_engine.recipes.tone_transformation import transform_tone
from step1x_edit.data_engine.stages.stage import Stage
from step1x_edit.schema.tasks import EditTask

__all__ = ["RECIPES", "Recipe"]

Recipe = Callable[[Stage, np.random.Generator], EditPair | Refusal]

RECIPES: dict[EditTask, Recipe] = {
    EditTask.SUBJECT_ADDITION: add_subject,
    EditTask.SUBJECT_REMOVAL: remove_subject,
    EditTask.SUBJECT_REPLACEMENT: replace_subject,
    EditTask.BACKGROUND_CHANGE: change_background,
    EditTask.COLOUR_ALTERATION: alter_colour,
    EditTask.MATERIAL_MODIFICATION: modify_material,
    EditTask.STYLE_TRANSFER: restyle,
    EditTask.TONE_TRANSFORMATION: transform_tone,
}
"""The recipe of each task that can be made from the pool."""
