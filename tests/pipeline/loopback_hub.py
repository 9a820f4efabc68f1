"""A hub on the loopback interface, for the real client: repositories of bytes, with the checksums a hub states."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote, urlparse

REVISION = "0123456789abcdef0123456789abcdef01234567"
Repositories = dict[str, dict[str, bytes]]


def large(name: str) -> bool:
    return name.endswith(".safetensors")


def etag(name: str, content: bytes) -> str:
    if large(name):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def described(name: str, content: bytes, keys: tuple[str, str, str]) -> dict[str, object]:
    path, checksum, lfs = keys
    entry: dict[str, object] = {path: name, "size": len(content), checksum: etag(name, content), "type": "file"}
    if large(name):
        entry[checksum] = "0" * 40
        entry["lfs"] = {lfs: etag(name, content), "size": len(content), "pointerSize": 130}
    return entry


@contextmanager
def loopback_hub(repositories: Repositories) -> Iterator[str]:
    """Serve repositories; yields the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def log_message(self, *_: object) -> None:
            pass

        def answer(self, *, body: bool) -> None:
            parts = unquote(urlparse(self.path).path).strip("/").split("/")
            headers = {"X-Repo-Commit": REVISION}
            if parts[:2] == ["api", "models"]:
                repository = "/".join(parts[2:4])
                content = json.dumps(self.listing(repository, parts[4:5])).encode()
            else:
                repository, name = "/".join(parts[:2]), "/".join(parts[4:])
                content = repositories[repository][name]
                headers["ETag"] = f'"{etag(name, content)}"'
            self.send_response(200)
            for key, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(key, value)
            self.end_headers()
            if body:
                self.wfile.write(content)

        def listing(self, repository: str, what: list[str]) -> object:
            files = repositories[repository]
            if what == ["tree"]:
                return [described(name, content, ("path", "oid", "oid")) for name, content in files.items()]
            siblings = [described(name, content, ("rfilename", "blobId", "sha256")) for name, content in files.items()]
            return {"id": repository, "sha": REVISION, "siblings": siblings, "private": False, "tags": []}

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
