"""The page for blind ranking, served on this machine only. No address or file of it tells which editor made a picture."""

from __future__ import annotations

import io
import secrets
import socket
from collections.abc import Sequence
from contextlib import suppress
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from step1x_edit.benchmark.study.items import StudyItem, fingerprint_of, ordered_items, ordered_methods
from step1x_edit.benchmark.study.ratings import LEVELS, Ratings
from step1x_edit.errors import MissingExtra, RequestError, Step1XEditError

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["HOST", "Ballot", "StudyDesk", "serve_study", "study_app"]

HOST = "127.0.0.1"
LONGEST_SECONDS = 86_400.0
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Ballot(BaseModel):
    """A person's levels for the pictures of one case, in the order in which they were shown."""

    model_config = ConfigDict(extra="forbid")

    levels: Annotated[list[int], Field(max_length=64)]
    seconds: Annotated[float, Field(ge=0, le=LONGEST_SECONDS)] = 0.0


class StudyDesk:
    """Hands out cases and takes levels; the page talks to nothing else.

    Args:
        items: What is to be ranked.
        ratings: Where the answers go.

    Raises:
        DataError: The file of answers is of another study.
    """

    def __init__(self, items: Sequence[StudyItem], ratings: Ratings) -> None:
        ratings.claim(fingerprint_of(items))
        self._items, self._ratings = items, ratings

    def show(self) -> Any:
        """Return the page."""
        from fastapi import Response

        page = (files("step1x_edit.benchmark.study") / "page" / "study.html").read_text(encoding="utf-8")
        language = "zh" if self._items[0].case.id.language == "cn" else "en"
        return Response(page.replace("{{language}}", language), 200, _HEADERS, "text/html")

    def begin(self) -> dict[str, str]:
        """Let somebody take part; the name is chance and says nothing of them."""
        person = secrets.token_urlsafe(12)
        self._ratings.add_person(person)
        return {"person": person}

    def progress(self, person: str) -> dict[str, int]:
        """Tell how far a person is, and the place of the first case that waits."""
        done = self._ratings.of(person)
        order = enumerate(self._order(person))
        waiting = next((place for place, one in order if one.case.id not in done), len(self._items))
        return {"cases": len(self._items), "done": len(done), "next": waiting}

    def case(self, person: str, number: int) -> dict[str, Any]:
        """Return a case's instruction and the levels that were given before, in the order of its pictures."""
        item = self._item(person, number)
        given = self._ratings.of(person).get(item.case.id, {})
        methods = ordered_methods(item, person=person)
        return {"instruction": item.case.instruction, "levels": [given.get(method) for method in methods]}

    def rate(self, person: str, number: int, ballot: Ballot) -> dict[str, bool]:
        """Keep a person's levels for a case."""
        item = self._item(person, number)
        methods = ordered_methods(item, person=person)
        if len(ballot.levels) != len(methods) or not set(ballot.levels) <= set(LEVELS):
            raise RequestError(
                given=f"the levels {ballot.levels}",
                expected=f"{len(methods)} levels, each one of {', '.join(map(str, LEVELS))}",
                remedy="Load the page again.",
            )
        levels = dict(zip(methods, ballot.levels, strict=True))
        self._ratings.rate(person, item.case.id, levels, seconds=ballot.seconds)
        return {"kept": True}

    def picture(self, person: str, number: int, place: int) -> Any:
        """Return a case's source (place 0) or one of its results."""
        from fastapi import Response

        item = self._item(person, number)
        methods = ordered_methods(item, person=person)
        if not 0 <= place <= len(methods):
            raise _unknown(f"picture {place}")
        return Response(_picture(item, methods, place), 200, _HEADERS, "image/png")

    def _order(self, person: str) -> tuple[StudyItem, ...]:
        if not self._ratings.knows(person):
            raise _unknown(f"the person {person!r}")
        return ordered_items(self._items, person=person)

    def _item(self, person: str, number: int) -> StudyItem:
        order = self._order(person)
        if not 0 <= number < len(order):
            raise _unknown(f"case {number}")
        return order[number]


def study_app(items: Sequence[StudyItem], ratings: Ratings) -> FastAPI:
    """Return the application around a :class:`StudyDesk`.

    Raises:
        MissingExtra: fastapi is not installed.
        DataError: The file of answers is of another study.
    """
    try:
        from fastapi import FastAPI
        from fastapi.responses import JSONResponse
        from starlette.middleware.trustedhost import TrustedHostMiddleware
    except ImportError as missing:
        raise _missing("fastapi") from missing
    desk, app = StudyDesk(items, ratings), FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    # A page elsewhere that lets its own name point here is not answered.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
    app.add_api_route("/", desk.show)
    app.add_api_route("/api/people", desk.begin, methods=["POST"])
    app.add_api_route("/api/people/{person}", desk.progress)
    app.add_api_route("/api/people/{person}/cases/{number}", desk.case)
    app.add_api_route("/api/people/{person}/cases/{number}", desk.rate, methods=["PUT"])
    app.add_api_route("/pictures/{person}/{number}/{place}", desk.picture)

    def refused(_: Any, error: Exception) -> JSONResponse:
        status = error.http_status if isinstance(error, Step1XEditError) else 500
        return JSONResponse({"detail": str(error)}, status)

    app.add_exception_handler(Step1XEditError, refused)
    return app


def serve_study(app: FastAPI, *, port: int) -> None:
    """Serve the page on this machine until Ctrl-C.

    Raises:
        MissingExtra: uvicorn is not installed.
        RequestError: The port is taken.
    """
    try:
        import uvicorn
    except ImportError as missing:
        raise _missing("uvicorn") from missing
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    # uvicorn ends in order at Ctrl-C, and then passes it on.
    with _listening(port) as place, suppress(KeyboardInterrupt):
        server.run(sockets=[place])


def _listening(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except OSError as fault:
        raise RequestError(
            given=f"the port {port}, which cannot be had ({fault.strerror})",
            expected="a free port of this machine",
            remedy="Choose another with --port, or end what uses it.",
        ) from fault


def _picture(item: StudyItem, methods: Sequence[str], place: int) -> bytes:
    """Return the source (0) or a result as PNG; what a file says about its making stays behind."""
    if place == 0:
        return _png(item.case.open_source())
    with Image.open(item.pictures[methods[place - 1]]) as file:
        return _png(file)


def _png(picture: Image.Image) -> bytes:
    plain, content = picture.convert("RGB"), io.BytesIO()
    plain.info.clear()
    plain.save(content, format="PNG", compress_level=1)
    return content.getvalue()


def _unknown(what: str) -> RequestError:
    return RequestError(given=what, expected="one of this study", remedy="Load the page again.")


def _missing(package: str) -> MissingExtra:
    return MissingExtra(
        given=f"an installation without {package}",
        expected="the extra `bench`",
        remedy="Install it with `pip install step1x-edit[bench]`.",
    )
