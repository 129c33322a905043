"""The archive server: ranges, ETags and sendfile; it counts the bytes it sends.

A thread per connection and blocking sendfile cost one system call per response: with two cores, what this
process burns is missing from the program under test. Slow downloads have a server of their own, paced.py.

`GET /-/report` answers `{"sent": bytes, "active": responses under way}` (bodies only), `DELETE` sets the
count to zero. A connection that was cut is counted when the kernel says so: read when none is active.
Prints the port it listens on.
"""

import contextlib
import json
import os
import socket
import sys
import threading
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

from benchmarks.ranges import answer_head, ranged_answer


class Count:
    """What has been sent, and to how many at this moment."""

    def __init__(self) -> None:
        self.sent = 0
        self.active = 0
        self._lock = threading.Lock()

    def add(self, *, sent: int = 0, active: int = 0) -> None:
        with self._lock:
            self.sent += sent
            self.active += active


class Server:
    """Serves the files of one directory until the process ends."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._count = Count()
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
            while head := _head(reader):
                method, target, _ = head.split(" ", 2)
                if target == "/-/report":
                    self._report(connection, method)
                else:
                    self._send(connection, method, unquote(target), head)

    def _report(self, connection: socket.socket, method: str) -> None:
        body = json.dumps({"sent": self._count.sent, "active": self._count.active}).encode()
        if method == "DELETE":
            self._count = Count()
        connection.sendall(answer_head("200 OK", {"Content-Length": str(len(body))}) + body)

    def _send(self, connection: socket.socket, method: str, target: str, head: str) -> None:
        file = self._root / Path(target).name
        if method not in ("GET", "HEAD") or not file.is_file():
            connection.sendall(answer_head("404 Not Found", {"Content-Length": "0"}))
            return
        with file.open("rb") as archive:
            answer = ranged_answer(os.fstat(archive.fileno()), head)
            connection.sendall(answer.head)
            if method == "GET":
                self._send_span(connection, archive.fileno(), answer.first, answer.end)

    def _send_span(self, connection: socket.socket, archive: int, first: int, end: int) -> None:
        count = self._count
        count.add(active=1)
        try:
            while first < end:
                sent = os.sendfile(connection.fileno(), archive, first, end - first)
                count.add(sent=sent)
                first += sent
        finally:
            count.add(active=-1)


def _head(reader: BinaryIO) -> str:
    """The head of the next request, empty where there is none."""
    lines = []
    while (line := reader.readline()) not in (b"\r\n", b""):
        lines.append(line)
    return b"".join(lines).decode("latin-1")


if __name__ == "__main__":
    server = Server(Path(sys.argv[1]))
    print(server.port, flush=True)
    server.serve()
