"""Real loopback servers for the worker's tests: an archive server that misbehaves on demand."""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Behaviour:
    """How the archive server answers; tests change it while it runs."""

    body: bytes = b""
    etag: str | None = None
    ranges: bool = True
    lie: str = ""  # "200": whole archive to a range; "shifted": another range than asked for
    chunked: bool = False
    drop_after: list[int] = field(default_factory=list)  # bytes before each successive answer is cut
    stall_after: list[int] = field(default_factory=list)  # bytes before each successive answer goes silent
    statuses: list[tuple[int, dict[str, str]]] = field(default_factory=list)  # answered before anything else
    redirect_to: str | None = None
    gone_paths: set[str] = field(default_factory=set)
    on_range: Callable[[int, int], None] | None = None
    damage: Callable[[int, bytearray], None] | None = None  # changes an answer's bytes; first byte's place
    requests: list[dict[str, str]] = field(default_factory=list)
    body_bytes_sent: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def current_etag(self) -> str:
        return self.etag or f'"{hashlib.md5(self.body).hexdigest()}"'


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    behaviour: Behaviour

    def log_message(self, *_: Any) -> None:
        """Tests read `requests` instead."""

    def do_GET(self) -> None:
        b = self.behaviour
        client = f"{self.client_address[1]}"
        b.requests.append(
            {"path": self.path, "client": client, **{k.lower(): v for k, v in self.headers.items()}}
        )
        if b.statuses:
            status, headers = b.statuses.pop(0)
            self._empty(status, headers)
            return
        if self.path in b.gone_paths:
            self._empty(403, {})
            return
        if b.redirect_to is not None:
            self._empty(302, {"Location": b.redirect_to})
            return
        asked = self.headers.get("Range")
        if asked is None or not b.ranges or b.lie == "200":
            self._send(200, 0, len(b.body), {})
            return
        first, last = asked.removeprefix("bytes=").split("-")
        if not b.body:
            self._empty(416, {"Content-Range": "bytes */0"})
            return
        start = int(first) if first else max(0, len(b.body) - int(last))
        stop = min(int(last) + 1, len(b.body)) if first and last else len(b.body)
        if self.headers.get("If-Range", b.current_etag) != b.current_etag:
            self._send(200, 0, len(b.body), {})
            return
        if b.on_range is not None:
            b.on_range(start, stop)
        if b.lie == "shifted":
            start, stop = max(0, start - 1), stop - 1
        self._send(206, start, stop, {"Content-Range": f"bytes {start}-{stop - 1}/{len(b.body)}"})

    def _empty(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, status: int, start: int, stop: int, headers: dict[str, str]) -> None:
        b = self.behaviour
        data = memoryview(b.body)[start:stop]
        if b.damage is not None:
            changed = bytearray(data)
            b.damage(start, changed)
            data = memoryview(changed)
        self.send_response(status)
        self.send_header("ETag", b.current_etag)
        for name, value in headers.items():
            self.send_header(name, value)
        if b.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        cut = b.drop_after.pop(0) if b.drop_after else None
        stall = b.stall_after.pop(0) if b.stall_after else None
        limit = cut if cut is not None else stall
        if limit is not None and limit < len(data):
            data = data[:limit]
        else:
            limit = None
        try:
            self._write(data)
        except OSError:
            self.close_connection = True
            return
        if limit is not None:
            if stall is not None and cut is None:
                b.stopping.wait(30)
            self.close_connection = True

    def _write(self, data: memoryview) -> None:
        for at in range(0, len(data), 65_536):
            piece = data[at : at + 65_536]
            if self.behaviour.chunked:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), bytes(piece)))
            else:
                self.wfile.write(piece)
            self.behaviour.body_bytes_sent += len(piece)
        if self.behaviour.chunked:
            self.wfile.write(b"0\r\n\r\n")


class ArchiveServer:
    """`with ArchiveServer(behaviour) as server: server.url`"""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        handler = type("Handler", (_Handler,), {"behaviour": behaviour})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.base = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "ArchiveServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.behaviour.stopping.set()
        self._server.shutdown()
        self._server.server_close()
