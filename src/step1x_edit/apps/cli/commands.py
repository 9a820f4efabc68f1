"""The commands by name. Each module is imported when its command is called, not before."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

import typer
import typer.core

from step1x_edit.apps.cli.failures import reported
from step1x_edit.errors import RequestError

__all__ = ["COMMANDS", "CommandGroup"]


class _Entry(NamedTuple):
    module: str
    summary: str


# Name → module below this package (it holds a function of the command's name) and the line of `step1x --help`.
COMMANDS = {
    "edit": _Entry("edit", "Edit a picture, a folder of pictures or a job list."),
    "replay": _Entry("replay", "Make a result again from the parameters inside it."),
    "compare": _Entry("compare", "Put releases, seeds or adapters side by side on one sheet."),
    "releases": _Entry("releases", "List the releases: size, memory, licence, whether present."),
    "fetch": _Entry("fetch", "Download a release; the only command that does."),
    "verify": _Entry("verify", "Check a fetched release against its published checksums."),
    "inspect": _Entry("inspect", "Say what a weight file is and what it lacks."),
    "convert": _Entry("convert", "Write weights in another layout."),
}

_ROOT_OPTIONS = {"--log": 1, "--debug": 0}


class _ReportedCommand(typer.core.TyperCommand):
    def invoke(self, ctx: Any) -> Any:
        options = ctx.find_root().params
        with reported(log=options.get("log"), debug=bool(options.get("debug"))):
            return super().invoke(ctx)


class CommandGroup(typer.core.TyperGroup):
    """Finds commands in :data:`COMMANDS`; ``--log`` and ``--debug`` may stand anywhere on the line."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's signature
        """Return the names in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a command's module and return the command."""
        if cmd_name.startswith("-"):
            return None
        with reported(log=None, debug=bool(ctx.params.get("debug"))):
            return _load(cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - typer's signature
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Move the options of ``step1x`` itself to the front."""
        return super().parse_args(ctx, _root_options_first(args))


def _load(name: str) -> Any:
    if name not in COMMANDS:
        raise RequestError(
            given=f"the command {name!r}",
            expected=f"one of {', '.join(COMMANDS)}",
            remedy="Run `step1x --help` to see what each of them does.",
        )
    function = getattr(import_module(f"step1x_edit.apps.cli.{COMMANDS[name].module}"), name)
    single = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)
    single.command(name, cls=_ReportedCommand, context_settings={"help_option_names": ["-h", "--help"]})(function)
    return typer.main.get_command(single)


def _root_options_first(args: list[str]) -> list[str]:
    front: list[str] = []
    rest: list[str] = []
    words = iter(args)
    for word in words:
        name = word.partition("=")[0]
        if word == "--":
            rest.append(word)
            break
        if name not in _ROOT_OPTIONS:
            rest.append(word)
            continue
        front.append(word)
        if _ROOT_OPTIONS[name] and "=" not in word:
            front.extend([value for value in [next(words, None)] if value is not None])
    return [*front, *rest, *words]
