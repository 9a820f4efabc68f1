"""PyPI and npm on the loopback interface, for the real clients, and the small packages they hand out."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote

from step1x_edit.experts.parts.registries import Registry
from step1x_edit.experts.parts.table import Archive, Part, PartFile

WEIGHTS = bytes(range(256)) * 40
HALVES = (WEIGHTS[:5000], WEIGHTS[5000:])


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def wheel(name: str, version: str, files: dict[str, bytes]) -> bytes:
    about = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
        for path, text in about.items():
            archive.writestr(f"{name}-{version}.dist-info/{path}", text)
    return packed.getvalue()


def tarball(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def tiny_part(archive: bytes, name: str, *, registry: Registry = "pypi", members: tuple[str, ...]) -> Part:
    """A part whose one file is WEIGHTS, in one archive or in pieces."""
    file = PartFile(name="tiny.bin", sha256=sha256(WEIGHTS), members=members)
    packed = Archive(name=name, platform="any", sha256=sha256(archive), megabytes=len(archive) / 1e6, files=(file,))
    package = "@scope/tiny" if registry == "npm" else "tiny"
    return Part(
        name="tiny", registry=registry, package=package, version="1.0", licence="MIT", gives="", archives=(packed,)
    )


@contextmanager
def loopback_registry(archives: dict[str, dict[str, bytes]]) -> Iterator[str]:
    """Serve archives by package; yields the address. ``/simple`` is PyPI's index, the rest is npm's."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            words = unquote(self.path).strip("/").split("/")
            kind, content = self.found(words)
            self.send_response(200 if content is not None else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

        def found(self, words: list[str]) -> tuple[str, bytes | None]:
            if words[0] == "files":
                return "application/octet-stream", archives.get("/".join(words[1:-1]), {}).get(words[-1])
            if words[0] == "simple":
                names = archives.get(words[1])
                page = "".join(f'<a href="{address()}/files/{words[1]}/{name}">{name}</a>' for name in names or ())
                return "text/html", None if names is None else f"<html><body>{page}</body></html>".encode()
            name = "/".join(words)
            return "application/json", json.dumps(described(name)).encode() if name in archives else None

    def described(name: str) -> dict[str, object]:
        [(file, content)] = archives[name].items()
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
        dist = {"tarball": f"{address()}/files/{name}/{file}", "integrity": integrity}
        version = {"name": name, "version": "1.0.0", "dist": dist}
        return {"name": name, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}

    def address() -> str:
        return f"http://127.0.0.1:{server.server_port}"

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield address()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
