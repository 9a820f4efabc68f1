"""The errors of the package: one root, six families.

Every message says what was given, what was expected and what to do. The doors (``apps/``) hold the only handlers; they
turn a family into an exit code (:attr:`Step1XEditError.exit_code`) or an HTTP status (:attr:`Step1XEditError.http_status`).
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "CheckpointError",
    "DataError",
    "ExpertError",
    "MissingExtra",
    "MissingRelease",
    "NumericalError",
    "RequestError",
    "ShapeError",
    "Step1XEditError",
]


class Step1XEditError(Exception):
    """Root of all errors this package raises on purpose.

    Args:
        given: What was given, in words a user recognises (a path, a value, a shape).
        expected: What would have been right.
        remedy: What to do now, as a full sentence.
    """

    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    def __init__(self, *, given: str, expected: str, remedy: str) -> None:
        self.given = given
        self.expected = expected
        self.remedy = remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        return f"Given {self.given}; expected {self.expected}. {self.remedy}"

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the way back from a worker process, keyword arguments included."""
        return _rebuild, (type(self), self.given, self.expected, self.remedy)


def _rebuild(family: type[Step1XEditError], given: str, expected: str, remedy: str) -> Step1XEditError:
    return family(given=given, expected=expected, remedy=remedy)


class RequestError(Step1XEditError, ValueError):
    """A request or an input picture that cannot be served."""

    exit_code = 2
    http_status = 422


class MissingRelease(Step1XEditError, FileNotFoundError):
    """A release whose weights are not on this machine, or an unknown release."""

    exit_code = 3
    http_status = 501


class MissingExtra(Step1XEditError, ImportError):
    """An optional part of the installation that is absent."""

    exit_code = 3
    http_status = 501


class CheckpointError(Step1XEditError, ValueError):
    """A weight file that is broken, unsafe or does not fit the network."""

    exit_code = 4


class NumericalError(Step1XEditError, ArithmeticError):
    """A number that is not finite appeared while making a picture."""

    exit_code = 5


class ExpertError(Step1XEditError, RuntimeError):
    """A model of somebody else's, called as an expert, failed."""

    exit_code = 6
    http_status = 502


class DataError(Step1XEditError, ValueError):
    """Data for training or measuring that cannot be used."""

    exit_code = 6


class ShapeError(Step1XEditError, ValueError):
    """Our own misuse: tensors whose sizes do not belong together."""
