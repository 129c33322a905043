"""The archive server of the slow shapes: every archive at its own rate, however many connections share it.

    python -m benchmarks.paced ROOT [CERTIFICATE]

serves `/{bytes a second}/{lane}/{file}` and speaks TLS itself when it has a certificate: with hundreds of
downloads at once a terminator's copying would cost more than the pacing. One thread and one clock keep all
lanes; a slice is sent when it is due, and what a slow reader lets go by beyond one slice is not made up for.

`GET /-/report` answers `{"sent": {lane: bytes}, "ended_at": {lane: when its last byte so far was taken},
"active": responses under way, "late_s": [how late a slice left: median, 99th percentile, worst]}`: what is
late because of this process is the harness's fault, not the program's. `DELETE` forgets. Prints its port.
"""

import asyncio
import json
import os
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any
from urllib.parse import unquote

from benchmarks.ranges import Answer, answer_head, ranged_answer
from benchmarks.tls import BACKLOG, HOST, server_context

SLICE_BYTES = 64 << 10
# What lies in buffers, sent but not taken, counts as progress: so it is little.
SEND_BUFFER_BYTES = 64 << 10


@dataclass
class Lane:
    """One archive's download: what has been sent of it, and when the next slice is due."""

    bytes_per_s: float
    sent: int = 0
    ended_at: float = 0.0
    _free_at: float = 0.0

    def due(self, length: int, now: float) -> float:
        """When the next slice, from here on spoken for, may leave: a bucket that is one slice deep."""
        takes = length / self.bytes_per_s
        self._free_at = max(self._free_at, now - takes) + takes
        return max(self._free_at, now)


class Server:
    """Serves the files of one directory until the process ends."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: dict[str, int] = {}
        self._forget()

    def _forget(self) -> None:
        self._lanes: dict[str, Lane] = {}
        self._late: list[float] = [0.0, 0.0]
        self._active = 0

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One keep-alive connection; a client that has seen enough closes in the middle."""
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        writer.transport.set_write_buffer_limits(high=SLICE_BYTES)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                method, target, _ = head.split(" ", 2)
                if target == "/-/report":
                    self._answer_report(writer, method)
                else:
                    await self._send(writer, method, unquote(target), head)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer_report(self, writer: asyncio.StreamWriter, method: str) -> None:
        body = json.dumps(self.report()).encode()
        writer.write(answer_head("200 OK", {"Content-Length": str(len(body))}) + body)
        if method == "DELETE":
            self._forget()

    def report(self) -> dict[str, Any]:
        late = quantiles(self._late, n=100)
        return {
            "sent": {name: lane.sent for name, lane in self._lanes.items()},
            "ended_at": {name: lane.ended_at for name, lane in self._lanes.items()},
            "active": self._active,
            "late_s": [round(late[49], 4), round(late[98], 4), round(max(self._late), 4)],
        }

    async def _send(self, writer: asyncio.StreamWriter, method: str, target: str, head: str) -> None:
        _, rate, name, file = target.split("/")
        archive = self._open(file)
        answer = ranged_answer(os.fstat(archive), head)
        writer.write(answer.head)
        if method != "GET":
            return
        lane = self._lanes.setdefault(name, Lane(float(rate)))
        self._active += 1
        try:
            await self._send_span(writer, archive, answer, lane)
        finally:
            self._active -= 1

    async def _send_span(
        self, writer: asyncio.StreamWriter, archive: int, answer: Answer, lane: Lane
    ) -> None:
        at = answer.first
        while at < answer.end:
            length = min(SLICE_BYTES, answer.end - at)
            now = time.monotonic()
            due = lane.due(length, now)
            await asyncio.sleep(due - now)
            self._late.append(time.monotonic() - due)
            writer.write(os.pread(archive, length, at))
            await writer.drain()
            at += length
            lane.sent += length
            lane.ended_at = time.monotonic()

    def _open(self, file: str) -> int:
        """One descriptor a file for all lanes: there may be a thousand of them."""
        if file not in self._files:
            self._files[file] = os.open(self._root / Path(file).name, os.O_RDONLY)
        return self._files[file]


async def main(root: Path, certificate: str | None) -> None:
    tls = server_context(certificate) if certificate else None
    server = await asyncio.start_server(Server(root).converse, HOST, 0, ssl=tls, backlog=BACKLOG)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None))
