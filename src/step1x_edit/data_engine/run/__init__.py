"""The run: settings and a pool in, a store of triplets and rejections out; stopped at any moment, it goes on."""

from step1x_edit.data_engine.run.build import Outcome, Watcher, build
from step1x_edit.data_engine.run.crew import Limits
from step1x_edit.data_engine.run.settings import RunSettings, TaskShare

__all__ = ["Limits", "Outcome", "RunSettings", "TaskShare", "Watcher", "build"]
