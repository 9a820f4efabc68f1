"""Instructions: what was changed, in; the words a user would type for it, in English or Chinese, out."""

from step1x_edit.data_engine.instructions.vocabulary import Colour, Language, Place, colours, places

__all__ = ["Colour", "Language", "Place", "colours", "places"]
