"""A small server on this machine that speaks the OpenAI chat protocol, for tests of what asks a multimodal LLM."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass
class LoopbackChat:
    """What the server was asked, and what it answers: the next of ``answers``, or whatever ``answer`` says."""

    url: str
    answers: list[tuple[int, object]] = field(default_factory=list)
    """Status and body of the next answers; bytes are sent as they are, anything else as JSON."""
    answer: Callable[[dict[str, Any]], tuple[int, object]] | None = None
    received: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    """Path, authorization and body of every request."""

    def next(self, body: dict[str, Any]) -> tuple[int, object]:
        return self.answer(body) if self.answer else self.answers.pop(0)


def spoken(text: str | None) -> dict[str, Any]:
    """The body of an answer that says a text."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}


def asked(body: dict[str, Any]) -> str:
    """The question in a request, without its pictures."""
    return body["messages"][0]["content"][-1]["text"]


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    """Many may ask at the same time; a full queue would cost a caller a second."""


@contextmanager
def loopback_chat() -> Iterator[LoopbackChat]:
    """Serve until the block ends; then nobody answers at the address any more."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            chat.received.append((self.path, self.headers["Authorization"], body))
            status, answer = chat.next(body)
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if isinstance(answer, bytes) else "application/json")
            self.send_header("Content-Length", str(len(content)))
            # Asks the client not to wait long before its next try.
            self.send_header("retry-after-ms", "10")
            # Who no longer waits has gone.
            with suppress(ConnectionError):
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    chat = LoopbackChat(url=f"http://127.0.0.1:{server.server_port}/v1")
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield chat
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
