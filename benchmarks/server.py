"""The archive server: ranges, ETags, sendfile, and a slow lane; it counts the bytes it sends.

`/{file}` is served as fast as the socket takes it; `/slow/{lane}/{file}` at SLOW_BYTES_PER_S for the whole
lane, however many connections share it. A thread per connection and blocking sendfile cost one system call
per response: with two cores, what this process burns is missing from the program under test.

`GET /-/report` answers `{"sent": {lane: bytes}, "active": responses under way}` (bodies only), `DELETE` sets
the counts to zero. A connection that was cut is counted when the kernel says so: read when none is active.
Prints the port it listens on.
"""

import contextlib
import json
import os
import re
import socket
import sys
import threading
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

SLOW_BYTES_PER_S = 1_000_000
SLOW_SLICE = 64 << 10
FAST = "fast"

_RANGE = re.compile(r"bytes=(\d*)-(\d*)\Z")


class Lane:
    """What one group of connections has sent, and when it may send on."""

    def __init__(self) -> None:
        self.sent = 0
        self.active = 0
        self._free_at = 0.0
        self._lock = threading.Lock()

    def count(self, sent: int = 0, active: int = 0) -> None:
        with self._lock:
            self.sent += sent
            self.active += active

    def wait_turn(self, length: int) -> None:
        """Sleep until this lane's rate allows `length` more bytes."""
        with self._lock:
            start = max(self._free_at, time.monotonic())
            self._free_at = start + length / SLOW_BYTES_PER_S
        time.sleep(max(0.0, start - time.monotonic()))


class Server:
    """Serves the files of one directory until the process ends."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lanes: dict[str, Lane] = {}
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]

    def serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A client that has seen enough closes in the middle; that ends the conversation, not the server.
        with connection, connection.makefile("rb") as reader, contextlib.suppress(ConnectionError):
            while request := reader.readline().decode("latin-1").split():
                headers = {}
                while (line := reader.readline().decode("latin-1").strip()) != "":
                    name, _, value = line.partition(":")
                    headers[name.lower()] = value.strip()
                method, target = request[0], unquote(urlsplit(request[1]).path)
                if target == "/-/report":
                    self._report(connection, method)
                else:
                    self._send(connection, method, target, headers)
                if headers.get("connection", "").lower() == "close":
                    return

    def _report(self, connection: socket.socket, method: str) -> None:
        if method == "DELETE":
            self._lanes = {}
        lanes = dict(self._lanes)
        sent = {name: lane.sent for name, lane in sorted(lanes.items())}
        body = json.dumps({"sent": sent, "active": sum(lane.active for lane in lanes.values())})
        _answer(connection, "200 OK", {"Content-Length": str(len(body))}, body)

    def _send(self, connection: socket.socket, method: str, target: str, headers: dict[str, str]) -> None:
        _, _, lane_name = target.rpartition("/slow/")
        lane_name = lane_name.partition("/")[0] if "/slow/" in target else FAST
        file = self._root / target.rpartition("/")[2]
        if method not in ("GET", "HEAD") or not file.is_file():
            _answer(connection, "404 Not Found", {"Content-Length": "0"})
            return
        with file.open("rb") as archive:
            stat = os.fstat(archive.fileno())
            etag = f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'
            asked = headers.get("range") if headers.get("if-range", etag) == etag else None
            span = _span(asked, stat.st_size)
            common = {"ETag": etag, "Accept-Ranges": "bytes", "Content-Type": "application/zip"}
            if span is None:
                common |= {"Content-Range": f"bytes */{stat.st_size}", "Content-Length": "0"}
                _answer(connection, "416 Range Not Satisfiable", common)
                return
            first, end = span
            common["Content-Length"] = str(end - first)
            if asked:
                common["Content-Range"] = f"bytes {first}-{end - 1}/{stat.st_size}"
            _answer(connection, "206 Partial Content" if asked else "200 OK", common)
            if method == "GET":
                lane = self._lanes.setdefault(lane_name, Lane())
                lane.count(active=1)
                try:
                    self._send_span(connection, archive.fileno(), first, end, lane, slow=lane_name != FAST)
                finally:
                    lane.count(active=-1)

    @staticmethod
    def _send_span(
        connection: socket.socket, archive: int, first: int, end: int, lane: Lane, *, slow: bool
    ) -> None:
        while first < end:
            length = min(SLOW_SLICE, end - first) if slow else end - first
            if slow:
                lane.wait_turn(length)
            sent = os.sendfile(connection.fileno(), archive, first, length)
            lane.count(sent)
            first += sent


def _span(asked: str | None, size: int) -> tuple[int, int] | None:
    """The first byte and the one after the last that a Range header asks for; None when there is none."""
    if asked is None:
        return 0, size
    match = _RANGE.match(asked)
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if first == "":
        return max(0, size - int(last)), size
    end = min(size, int(last) + 1) if last else size
    return (int(first), end) if int(first) < end else None


def _answer(connection: socket.socket, status: str, headers: dict[str, str], body: str = "") -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    connection.sendall(f"HTTP/1.1 {status}\r\n{lines}\r\n{body}".encode("latin-1"))


if __name__ == "__main__":
    server = Server(Path(sys.argv[1]))
    print(server.port, flush=True)
    server.serve()
