"""The command line ``step1x``: what is typed → requests, records and files; an error → one line and an exit code.

Commands are loaded when they are called, so that ``step1x --help`` costs no heavy import.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from step1x_edit import __version__
from step1x_edit.apps.cli.commands import CommandGroup
from step1x_edit.apps.cli.failures import EXIT_CODES_TEXT

__all__ = ["app", "main"]

app = typer.Typer(
    name="step1x",
    cls=CommandGroup,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog=EXIT_CODES_TEXT,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> bool:
    if wanted:
        typer.echo(f"step1x-edit {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def root(
    log: Annotated[Path | None, typer.Option(metavar="FILE", help="Keep details and tracebacks in this file.")] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and warnings.")] = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version and leave.")
    ] = False,
) -> None:
    """Edit pictures by instruction with any Step1X-Edit release."""


def main() -> None:
    """Run ``step1x`` with the arguments of the process and exit."""
    app(prog_name="step1x")
