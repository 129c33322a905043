"""An archive server on a real socket that answers as a habit of some server says, byte by byte.

A habit is a generator: it is given a request and yields what to send. A number is a pause in seconds; CLOSE
ends the connection, RESET breaks it. At the end of the generator the next request is read.
"""

import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from io import BufferedReader

from tests.unit.worker.conftest import zip_of

NUMBERS = random.Random(9)
FILES = {"a.bin": NUMBERS.randbytes(150_000), "b.bin": NUMBERS.randbytes(90_000)}
ARCHIVE = zip_of(FILES, stored=True)
SIZE = len(ARCHIVE)
ETAG = '"v1"'


class End(Enum):
    CLOSE = "the connection is closed in order"
    RESET = "the connection is broken"


CLOSE, RESET = End.CLOSE, End.RESET
Sent = bytes | float | End
Habit = Callable[["Request"], Iterator[Sent]]


@dataclass
class Request:
    """`number` counts from 1, over all connections; `asked` is the range [start, stop), else the whole."""

    number: int
    path: str
    headers: dict[str, str]
    port: int
    asked: tuple[int, int] = (0, SIZE)
    ranged: bool = False
    suffix: bool = False

    def __post_init__(self) -> None:
        text = self.headers.get("range", "")
        self.ranged = bool(text)
        if text:
            first, last = text.removeprefix("bytes=").split("-")
            self.suffix = not first
            start = int(first) if first else max(0, SIZE - int(last))
            self.asked = start, (min(int(last) + 1, SIZE) if first and last else SIZE)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def payload(self) -> bool:
        """Whether it asks for a span of the archive and not for its end."""
        return self.ranged and not self.suffix


def head(status: str, *headers: str, version: str = "HTTP/1.1") -> bytes:
    return "\r\n".join([f"{version} {status}", *headers, "", ""]).encode("latin-1")


def answer(status: str, body: bytes, *headers: str) -> bytes:
    return head(status, *headers, f"Content-Length: {len(body)}") + body


def whole(*headers: str) -> bytes:
    return answer("200 OK", ARCHIVE, f"ETag: {ETAG}", *headers)


def part(request: Request, *headers: str) -> bytes:
    """The right answer to a request with a range; the whole archive to one without."""
    if not request.ranged:
        return whole(*headers)
    start, stop = request.asked
    return answer(
        "206 Partial Content",
        ARCHIVE[start:stop],
        f"ETag: {ETAG}",
        f"Content-Range: bytes {start}-{stop - 1}/{SIZE}",
        *headers,
    )


def chunked(body: bytes, *headers: str, status: str = "200 OK", size: int = 10_000) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    coded = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return head(status, "Transfer-Encoding: chunked", *headers) + coded + b"0\r\n\r\n"


@dataclass
class HabitServer:
    """`with HabitServer(habit) as server: server.url`"""

    habit: Habit
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/archive"
        self._stopping = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> "HabitServer":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        with peer, contextlib.suppress(OSError), peer.makefile("rb") as lines:
            while (request := self._read(lines)) is not None:
                for sent in self.habit(request):
                    match sent:
                        case bytes():
                            peer.sendall(sent)
                        case End.CLOSE:
                            return
                        case End.RESET:
                            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                            return
                        case _ if self._stopping.wait(sent):
                            return

    def _read(self, lines: BufferedReader) -> Request | None:
        text = list(iter(lambda: lines.readline().decode("latin-1").strip(), ""))
        if not text:
            return None
        pairs = (line.partition(":") for line in text[1:])
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        with self._lock:
            request = Request(len(self.requests) + 1, text[0].split(" ")[1], headers, self.port)
            self.requests.append(request)
        return request
