"""An archive server for downloads that take long, as a process of its own.

    python -m tests.unit.worker.paced_archives FILE RATE HOLD_AT

Any path is FILE. An answer is sent at RATE bytes per second (0: as fast as it is read), and waits at byte
HOLD_AT of the file (0: nowhere) for a `GET /go-on`. `GET /sent` says how many bytes were sent. Prints its
port.
"""

import asyncio
import hashlib
import json
import re
import sys
from pathlib import Path

_RANGE = re.compile(rb"\r\nrange: bytes=(\d*)-(\d*)", re.IGNORECASE)
_SLICE = 16 * 1024


class Archives:
    def __init__(self, data: bytes, rate: float, hold_at: int) -> None:
        self.data, self.rate, self.hold_at = data, rate, hold_at
        self.etag = hashlib.md5(data).hexdigest()
        self.sent = 0
        self.going_on = asyncio.Event()

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1]
                if path == b"/go-on":
                    self.going_on.set()
                if path in (b"/go-on", b"/sent"):
                    body = json.dumps({"sent": self.sent}).encode()
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
                else:
                    await self._answer(head, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, head: bytes, writer: asyncio.StreamWriter) -> None:
        size = len(self.data)
        asked = _RANGE.search(head)
        first, last = asked.groups() if asked else (b"0", b"")
        start = int(first) if first else max(0, size - int(last))
        stop = min(int(last) + 1, size) if first and last else size
        writer.write(
            b"HTTP/1.1 206 Partial Content\r\nContent-Length: %d\r\nContent-Range: bytes %d-%d/%d\r\n"
            b'ETag: "%s"\r\n\r\n' % (stop - start, start, stop - 1, size, self.etag.encode())
        )
        while start < stop:
            end = min(stop, start + _SLICE)
            if start < self.hold_at < end:
                end = self.hold_at
            if start and start == self.hold_at:
                await self.going_on.wait()
            writer.write(self.data[start:end])
            await writer.drain()
            self.sent += end - start
            if self.rate:
                await asyncio.sleep((end - start) / self.rate)
            start = end


async def main(archives: Archives) -> None:
    server = await asyncio.start_server(archives.converse, "127.0.0.1", 0, backlog=2_048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(Archives(Path(sys.argv[1]).read_bytes(), float(sys.argv[2]), int(sys.argv[3]))))
