"""A server on this machine that edits pictures over two protocols: OpenAI's images address and Gemini's generateContent."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

from PIL import Image, ImageOps

Answer = tuple[int, object]
"""Status and body; bytes are sent as they are, anything else as JSON."""


@dataclass(frozen=True)
class Asked:
    """One request, whichever the protocol."""

    path: str
    key: str
    words: str
    picture: Image.Image
    fields: dict[str, Any]
    """What else was asked for."""


@dataclass
class LoopbackImages:
    """What the server was asked, and how it answers: the next of ``answers``, then the inverted picture."""

    address: str
    answers: list[Answer] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    answer: Callable[[Asked], Answer] | None = None
    lock: Lock = field(default_factory=Lock)

    def next(self, asked: Asked) -> Answer:
        with self.lock:
            self.asked.append(asked)
            if self.answers:
                return self.answers.pop(0)
        if self.answer:
            return self.answer(asked)
        coded = png_base64(ImageOps.invert(asked.picture))
        return (200, gemini_says(picture=coded)) if "generateContent" in asked.path else (200, openai_says(coded))


def png_base64(picture: Image.Image) -> str:
    content = io.BytesIO()
    picture.save(content, format="PNG")
    return base64.b64encode(content.getvalue()).decode()


def openai_says(coded: str) -> dict[str, Any]:
    return {"created": 0, "data": [{"b64_json": coded}]}


def openai_error(code: str | None, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "type": "image_generation_user_error", "param": None}}


def gemini_says(*, picture: str = "", words: str = "", ended: str = "STOP") -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"text": words}] if words else []
    if picture:
        parts.append({"inlineData": {"mimeType": "image/png", "data": picture}})
    return {"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": ended}]}


@contextmanager
def loopback_images() -> Iterator[LoopbackImages]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            read = _gemini if "generateContent" in self.path else _openai
            status, answer = server_state.next(read(self.path, dict(self.headers.items()), body))
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if isinstance(answer, bytes) else "application/json")
            self.send_header("Content-Length", str(len(content)))
            # Asks the client not to wait long before its next try.
            self.send_header("retry-after-ms", "10")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server_state = LoopbackImages(address=f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server_state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _openai(path: str, headers: dict[str, str], body: bytes) -> Asked:
    """Read a multipart form."""
    by_name = {name.lower(): value for name, value in headers.items()}
    form = message_from_bytes(b"Content-Type: " + by_name["content-type"].encode() + b"\r\n\r\n" + body)
    fields: dict[str, Any] = {}
    picture = None
    parts: Any = form.get_payload()
    for part in parts:
        content = part.get_payload(decode=True)
        name = str(part.get_param("name", header="content-disposition"))
        if name.startswith("image"):
            picture = Image.open(io.BytesIO(content)).convert("RGB")
        else:
            fields[name] = content.decode()
    assert picture is not None
    return Asked(path, by_name.get("authorization", ""), fields.pop("prompt"), picture, fields)


def _gemini(path: str, headers: dict[str, str], body: bytes) -> Asked:
    request = json.loads(body)
    by_name = {name.lower(): value for name, value in headers.items()}
    parts = [part for content in request["contents"] for part in content["parts"]]
    stored = next(part["inlineData"]["data"] for part in parts if "inlineData" in part)
    # Google's client writes base64 with the signs that addresses allow.
    picture = Image.open(io.BytesIO(base64.urlsafe_b64decode(stored.replace("+", "-").replace("/", "_")))).convert(
        "RGB"
    )
    words = next(part["text"] for part in parts if "text" in part)
    return Asked(path, by_name.get("x-goog-api-key", ""), words, picture, request.get("generationConfig", {}))
