"""The commands by name. Each module is imported when its command is called, not before."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

import typer
import typer.core

from step1x_edit.apps.cli.failures import reported
from step1x_edit.errors import RequestError

__all__ = ["COMMANDS", "CommandGroup", "Entry"]


class Entry(NamedTuple):
    """A command that is not imported yet."""

    module: str
    summary: str
    commands: dict[str, Entry] | None = None
    """The commands below this one, if it is a group; their modules lie in the package ``module``."""


# Name → module below this package (it holds a function of the command's name) and the line of `step1x --help`.
COMMANDS = {
    "edit": Entry("edit", "Edit a picture, a folder of pictures or a job list."),
    "replay": Entry("replay", "Make a result again from the parameters inside it."),
    "compare": Entry("compare", "Put releases, seeds or adapters side by side on one sheet."),
    "releases": Entry("releases", "List the releases: size, memory, licence, whether present."),
    "fetch": Entry("fetch", "Download a release; the only command that does."),
    "verify": Entry("verify", "Check a fetched release against its published checksums."),
    "inspect": Entry("inspect", "Say what a weight file is and what it lacks."),
    "convert": Entry("convert", "Write weights in another layout."),
    "data": Entry(
        "data",
        "Make training triplets: setup, sources, hashes, build, status, report, rewrite, export, card.",
        {
            "setup": Entry("setup", "Bring the parts of the experts to this machine."),
            "sources": Entry("sources", "Gather source pictures, with licence and author, as a pool."),
            "hashes": Entry("hashes", "Hash the pictures of a benchmark, so that builds leave them out."),
            "build": Entry("build", "Make triplets from source pictures; goes on where it stopped."),
            "status": Entry("status", "Say how far a build is, and what was kept."),
            "report": Entry("report", "Write one HTML page about a store."),
            "rewrite": Entry("rewrite", "Add wordings by a multimodal LLM of yours, in a new store."),
            "export": Entry("export", "Write a store in another format."),
            "card": Entry("card", "Write the data card of a store."),
        },
    ),
    "train": Entry(
        "train",
        "Train adapters or whole weights: init, presets, check, lora, full.",
        {
            "init": Entry("init", "Write a commented config to start from."),
            "presets": Entry("presets", "List the named settings: memory, time, what they gave."),
            "check": Entry("check", "Say what is wrong with which pair, before anything is trained."),
            "lora": Entry("lora", "Train an adapter from one config file."),
            "full": Entry("full", "Train the weights themselves from one config file."),
        },
    ),
    "bench": Entry(
        "bench",
        "Measure editors: run, judge, agreement, scores, report, leaderboard, suite.",
        {
            "run": Entry("run", "Run an editor over a suite; a table and an HTML report."),
            "judge": Entry("judge", "Ask a judge about an editor's pictures; what was answered is never asked again."),
            "agreement": Entry("agreement", "Say how far two judges of the same pictures agree."),
            "scores": Entry("scores", "Average a judge's answers, with intervals; compare editors case by case."),
            "leaderboard": Entry("leaderboard", "Set own judged runs among the published results."),
            "report": Entry("report", "Show what a judge said of runs: one HTML page, Markdown, JSON."),
            "study": Entry("study", "Let people rank edits blind, on a local page; what they said."),
            "suite": Entry("suite", "Make a suite of held-out cases from a pool."),
        },
    ),
}

_ROOT_OPTIONS = {"--log": 1, "--debug": 0}


class _ReportedCommand(typer.core.TyperCommand):
    def invoke(self, ctx: Any) -> Any:
        options = ctx.find_root().params
        with reported(log=options.get("log"), debug=bool(options.get("debug"))):
            return super().invoke(ctx)


class _LazyGroup(typer.core.TyperGroup):
    entries: dict[str, Entry]
    package: str
    words: str

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's signature
        """Return the names in the order of the help."""
        return list(self.entries)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a command's module and return the command."""
        if cmd_name.startswith("-"):
            return None
        with reported(log=None, debug=bool(ctx.find_root().params.get("debug"))):
            return _load(cmd_name, self.entries, package=self.package, words=self.words)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - typer's signature
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in self.entries.items()])


class CommandGroup(_LazyGroup):
    """Finds commands in :data:`COMMANDS`; ``--log`` and ``--debug`` may stand anywhere on the line."""

    entries = COMMANDS
    package = "step1x_edit.apps.cli"
    words = "step1x"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Move the options of ``step1x`` itself to the front."""
        return super().parse_args(ctx, _root_options_first(args))


def _load(name: str, entries: dict[str, Entry], *, package: str, words: str) -> Any:
    if name not in entries:
        raise RequestError(
            given=f"the command {name!r}",
            expected=f"one of {', '.join(entries)}",
            remedy=f"Run `{words} --help` to see what each of them does.",
        )
    entry = entries[name]
    single = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)
    settings: dict[str, Any] = {"context_settings": {"help_option_names": ["-h", "--help"]}}
    if entry.commands is None:
        function = getattr(import_module(f"{package}.{entry.module}"), name)
        single.command(name, cls=_ReportedCommand, **settings)(function)
        return typer.main.get_command(single)
    below = {"entries": entry.commands, "package": f"{package}.{entry.module}", "words": f"{words} {name}"}
    group = type("Group", (_LazyGroup,), below)
    single.callback(cls=group, help=entry.summary, no_args_is_help=True, **settings)(lambda: None)
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
