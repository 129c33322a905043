"""One HTTP/1.1 connection, for moving bulk bytes at little more than the price of the system calls.

It sends a head and buffers without joining them, and reads a body straight into the caller's memory. For the
same body http.client and urllib3 take 1.1 to 1.6 times its CPU time, and httpx about 5 times. `grammar` says
what it accepts. It does not follow redirects or retry.
"""

import contextlib
import select
import socket
import ssl
import struct
import time
from collections.abc import Sequence

from runtime.shared.buffer import Buffer
from runtime.shared.http.errors import FramingError, TransferError, TransferTimeout
from runtime.shared.http.grammar import (
    MAX_HEAD_BYTES,
    MAX_LINE_BYTES,
    Head,
    body_length,
    check_trailers,
    chunk_size,
    end_of_head,
    parse_head,
)

_RECEIVE_BYTES = 16 * 1024
_MAX_IOV = 512
_MAX_INTERIM_ANSWERS = 16
_ONE_TLS_RECORD = 16 * 1024


class HttpConnection:
    """An open connection; one request at a time, by one thread at a time (`abort` may come from any)."""

    def __init__(self, sock: socket.socket, timeout_s: float) -> None:
        self._sock = sock
        self._plain = not isinstance(sock, ssl.SSLSocket)
        self._pending = b""  # read from the socket but not yet given out
        self._left: int | None = 0  # bytes of the body (or of the chunk) still to come; None: until close
        self._chunked = False
        self._in_chunk = False  # its data, or the line end behind them, are still to come
        self._done = True
        self._kept = True
        self.reused = False
        self.idle_since = 0.0
        self._timeout_s = timeout_s
        self._set_timeout(timeout_s)

    def _set_timeout(self, timeout_s: float) -> None:
        if self._plain:
            # A socket with a Python time-out is non-blocking underneath: each call polls first, and a large
            # send returns at every full buffer. The kernel's own time-outs keep one system call per buffer.
            value = struct.pack("ll", int(timeout_s), int(timeout_s % 1 * 1e6))
            self._sock.settimeout(None)
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)
        else:
            self._sock.settimeout(timeout_s)

    # --- sending -----------------------------------------------------------------------------------------

    def send(self, head: bytes, body: Sequence[Buffer] = ()) -> None:
        """Send a request's head and its body's buffers. Raises TransferError."""
        try:
            if self._plain:
                self._send_vectors([head, *body])
            elif sum(map(len, body)) < _ONE_TLS_RECORD:
                self._sock.sendall(b"".join([head, *body]))
            else:
                self._sock.sendall(head)
                for buffer in body:
                    self._sock.sendall(buffer)
        except (OSError, ValueError) as error:
            raise _transfer_error(error, "sending") from error

    def _send_vectors(self, vectors: list[Buffer]) -> None:
        sock, start = self._sock, 0
        while start < len(vectors):
            group = vectors[start : start + _MAX_IOV]
            sent = sock.sendmsg(group)
            for buffer in group:
                size = len(buffer)
                if sent < size:
                    vectors[start] = memoryview(buffer)[sent:]
                    break
                sent -= size
                start += 1

    # --- receiving ---------------------------------------------------------------------------------------

    def read_head(self, *, bodyless: bool = False) -> Head:
        """Read the answer's head; its body follows with `readinto` or `read_all`. Raises TransferError.

        `bodyless`: the request was a HEAD.
        """
        for _ in range(_MAX_INTERIM_ANSWERS):
            head = parse_head(self._block())
            if head.status == 101:
                raise FramingError("the other side switched protocols unasked")
            if head.status >= 200:
                break
        else:
            raise FramingError(f"{_MAX_INTERIM_ANSWERS} interim answers (1xx) and no final one")
        self._left, self._chunked = body_length(head, bodyless=bodyless)
        self._in_chunk = False
        self._done = self._left == 0
        until_close = self._left is None and not self._chunked
        # 6.1: both lengths at once, or chunks from a server that cannot know them, may be an attack.
        faulty = self._chunked and (head.http_1_0 or "content-length" in head.headers)
        self._kept = head.keeps_connection and not until_close and not faulty
        if self._chunked:
            self._left = 0
        return head

    def early_head(self) -> Head | None:
        """The head of an answer that was sent before the request was all read, if one has come.

        A server that refuses a request may answer and close at once; sending then fails, and the answer that
        says why is waiting: it came before the reset that made sending fail, and Linux keeps what had come.
        A server that neither waits for the acknowledgement of what it sent before (over TLS, its session
        tickets) nor sets TCP_NODELAY may drop its own answer when it closes (RFC 9112, 9.6): then nothing was
        sent, and None or TransferError is all there is to tell. Raises TransferError.
        """
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        if not self._pending and not poll.poll(0):
            return None
        head = self.read_head()
        self._kept = False
        return head

    def _block(self) -> bytes:
        """A head, or trailers: everything up to a blank line."""
        searched, deadline = 0, self._deadline()
        data = self._pending or self._recv(deadline)
        while (end := end_of_head(data, searched)) < 0 and len(data) <= MAX_HEAD_BYTES:
            searched = len(data)
            data += self._recv(deadline)
        if not 0 <= end <= MAX_HEAD_BYTES:
            raise FramingError(f"the answer's headers are longer than {MAX_HEAD_BYTES} bytes")
        self._pending = data[end:]
        return data[:end]

    def readinto(self, view: memoryview) -> int:
        """Read some of the body into `view`; 0 at its end. One receive at most. Raises TransferError."""
        if self._done or not len(view):
            return 0
        if self._chunked and self._left == 0 and not self._next_chunk():
            return 0
        if self._left is not None and self._left < len(view):
            view = view[: self._left]
        if self._pending:
            count = min(len(view), len(self._pending))
            view[:count] = self._pending[:count]
            self._pending = self._pending[count:]
        else:
            try:
                count = self._sock.recv_into(view)
            except (OSError, ValueError) as error:
                raise _transfer_error(error, "receiving") from error
            if count == 0:
                self._done = True
                if self._left is None:
                    return 0
                raise TransferError(f"the connection ended {self._left} bytes before the answer's end")
        if self._left is not None:
            self._left -= count
            if self._left == 0 and not self._chunked:
                self._done = True
        return count

    def _next_chunk(self) -> bool:
        if self._in_chunk:
            deadline = self._deadline()
            while len(self._pending) < 2:
                self._pending += self._recv(deadline)
            if not self._pending.startswith(b"\r\n"):
                raise FramingError(f"a chunk goes on beyond its size with {self._pending[:40]!r}")
            self._pending = self._pending[2:]
        self._left = chunk_size(self._line())
        self._in_chunk = self._left > 0
        if not self._in_chunk:
            check_trailers(self._block())
            self._done = True
        return self._in_chunk

    def _line(self) -> bytes:
        deadline = self._deadline()
        while (end := self._pending.find(b"\r\n", 0, MAX_LINE_BYTES)) < 0:
            if len(self._pending) > MAX_LINE_BYTES:
                raise FramingError(f"a chunk's first line is longer than {MAX_LINE_BYTES} bytes")
            self._pending += self._recv(deadline)
        line, self._pending = self._pending[:end], self._pending[end + 2 :]
        return line

    def read_all(self, limit: int) -> bytes:
        """The rest of the body, at most `limit` bytes (what is longer makes the connection unusable)."""
        if self._done:
            return b""
        if self._left and not self._chunked and self._left <= min(len(self._pending), limit):
            count, self._left, self._done = self._left, 0, True
            body, self._pending = self._pending[:count], self._pending[count:]
            return body
        parts, size = [], 0
        while size < limit:
            buffer = bytearray(min(65_536, limit - size))
            count = self.readinto(memoryview(buffer))
            if count == 0:
                break
            parts.append(buffer[:count])
            size += count
        return b"".join(parts)

    def _recv(self, deadline: float) -> bytes:
        """More of a head or of a chunk's frame, which must be whole by `deadline` however it drips."""
        try:
            data = self._sock.recv(_RECEIVE_BYTES)
        except (OSError, ValueError) as error:
            raise _transfer_error(error, "receiving") from error
        if not data:
            raise TransferError("the other side closed the connection")
        if time.monotonic() > deadline:
            raise TransferTimeout("a head drips in")
        return data

    def _deadline(self) -> float:
        """Long enough for one silence and for what comes after it."""
        return time.monotonic() + 2 * self._timeout_s

    # --- ending ------------------------------------------------------------------------------------------

    @property
    def reusable(self) -> bool:
        """Whether the answer has been read to its end and the other side keeps the connection."""
        return self._done and self._kept and not self._pending

    def looks_alive(self) -> bool:
        """Whether an idle connection has neither been closed nor sent anything unasked."""
        if time.monotonic() - self.idle_since < 1.0:
            return True
        try:
            self._sock.setblocking(False)
            seen = socket.socket.recv(self._sock, 1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            with contextlib.suppress(OSError):
                self._set_timeout(self._timeout_s)
        # A TLS server may send session tickets unasked; on a plain connection nothing may come.
        return bool(seen) and not self._plain

    def abort(self) -> None:
        """Wake whoever is blocked on this connection; from any thread. It is unusable afterwards."""
        with contextlib.suppress(OSError):
            # The base class's: SSLSocket.shutdown would pull the TLS state from under the thread in it.
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.close()


def _transfer_error(error: Exception, doing: str) -> TransferError:
    if isinstance(error, TimeoutError | BlockingIOError | ssl.SSLWantReadError | ssl.SSLWantWriteError):
        return TransferTimeout(f"nothing moved within the time-out while {doing}")
    return TransferError(f"the connection broke while {doing}: {error}")
