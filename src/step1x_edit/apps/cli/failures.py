"""The one handler of the command line: family of an error → one clean line and an exit code."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from step1x_edit.errors import Step1XEditError

__all__ = ["EXIT_CODES_TEXT", "INTERRUPTED", "reported", "say"]

INTERRUPTED = 130
UNEXPECTED = 1

# The first line keeps the help from joining the lines below it.
EXIT_CODES_TEXT = """\b
Exit codes:
  0    done
  2    bad request or input
  3    missing release or optional part
  4    broken checkpoint
  5    numerical failure while making a picture
  6    data or another model failed
  130  interrupted
"""

_LOG = logging.getLogger("step1x_edit")
_TALKATIVE = ("torchao", "bitsandbytes", "torch.utils._pytree", "diffusers.quantizers")
"""Loggers that report, whenever diffusers is imported beside the extra ``quantised``, what other machines would have."""


def say(line: str) -> None:
    """Tell the user something beside the results, on stderr."""
    typer.echo(line, err=True)


@contextmanager
def reported(*, log: Path | None, debug: bool) -> Iterator[None]:
    """Turn errors of a command into one line on stderr and the exit code of their family.

    Args:
        log: File that takes details and tracebacks, appended to.
        debug: Show tracebacks and warnings on stderr too.

    Raises:
        typer.Exit: With the code, after any error.
    """
    with warnings.catch_warnings():
        if not debug:
            warnings.simplefilter("ignore")
            for logger in _TALKATIVE:
                logging.getLogger(logger).setLevel(logging.ERROR)
        if log is not None:
            _open_log(log)
        try:
            yield
        # A pipe that its reader closed, as `| head` does, is typer's to end quietly.
        except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            say("step1x: Interrupted; nothing is left half done, and what is finished is kept.")
            raise typer.Exit(INTERRUPTED) from None
        except Step1XEditError as error:
            _keep(error, debug=debug)
            say(f"step1x: {error}")
            raise typer.Exit(error.exit_code) from None
        except Exception as error:
            _keep(error, debug=debug)
            words = " ".join(str(error).split())[:300]
            say(
                f"step1x: unexpected {type(error).__name__}: {words}. Run it again with --log FILE and report the file."
            )
            raise typer.Exit(UNEXPECTED) from None


def _open_log(path: Path) -> None:
    try:
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        say(f"step1x: Given the log {path}, which cannot be written ({error.strerror}); expected a writable file.")
        raise typer.Exit(2) from None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    _LOG.setLevel(logging.INFO)
    _LOG.info("step1x %s", " ".join(sys.argv[1:]))


def _keep(error: Exception, *, debug: bool) -> None:
    # Without a handler of its own, logging would write the traceback to stderr.
    if debug or logging.getLogger().handlers:
        _LOG.error("The command failed.", exc_info=error)
