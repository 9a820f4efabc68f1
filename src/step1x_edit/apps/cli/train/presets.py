"""``step1x train presets``: the named settings, with what each takes and what it gave."""

from __future__ import annotations

__all__ = ["presets"]


def presets() -> None:
    """List the named settings of training. A config takes one with `preset = "NAME"`; its own values lie above it."""
    from rich.console import Console
    from rich.table import Table

    from step1x_edit.presets.training import training_presets

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("preset", "for", "memory", "time", "gave"):
        table.add_column(heading, no_wrap=heading == "preset", overflow="fold")
    for name, preset in training_presets().items():
        command = f"step1x train {preset.method}"
        table.add_row(name, f"{command}: {preset.title}", preset.memory, preset.time, preset.gave)
    Console().print(table)
