"""One HTTP/1.1 connection, for moving bulk bytes at the price of the system calls.

General clients spend 3 to 10 times the socket's own cost on each body or small request, because they build
and parse for every case there is. This speaks only what the worker needs: it sends a head and buffers without
joining them, and reads a body straight into the caller's memory. It understands Content-Length, chunked and
until-close bodies, and skips interim (1xx) answers. It does not follow redirects or retry.
"""

import contextlib
import socket
import ssl
import struct
import time
from collections.abc import Sequence
from typing import NamedTuple

Buffer = bytes | bytearray | memoryview

_MAX_HEAD_BYTES = 64 * 1024
_MAX_IOV = 512


class WireError(ConnectionError):
    """The connection broke, timed out, or the other side does not speak HTTP/1.1."""


class WireTimeout(WireError):
    """Nothing moved for the connection's time-out."""


class Head(NamedTuple):
    """Status line and headers of an answer; header names are lower case."""

    status: int
    headers: dict[str, str]


class Wire:
    """An open connection; one request at a time, by one thread at a time (`abort` may come from any)."""

    def __init__(self, sock: socket.socket, timeout_s: float) -> None:
        self._sock = sock
        self._plain = not isinstance(sock, ssl.SSLSocket)
        self._pending = b""  # read from the socket but not yet given out
        self._left: int | None = 0  # bytes of the body (or of the chunk) still to come; None: until close
        self._chunked = False
        self._done = True
        self._close_after = False
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
        """Send a request's head and its body's buffers. Raises WireError."""
        try:
            if self._plain:
                self._send_vectors([head, *body])
            elif sum(map(len, body)) < 16_384:
                self._sock.sendall(b"".join([head, *body]))  # one TLS record
            else:
                self._sock.sendall(head)
                for buffer in body:
                    self._sock.sendall(buffer)
        except (OSError, ValueError) as error:
            raise _wire_error(error, "sending") from error

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
        """Read the answer's head; its body follows with `readinto` or `read_all`. Raises WireError."""
        while True:
            head = self._next_head()
            if head.status >= 200:
                break
        headers = head.headers
        self._close_after = headers.get("connection", "").lower() == "close"
        self._chunked, self._done = False, False
        if bodyless or head.status in (204, 304):
            self._left, self._done = 0, True
        elif "chunked" in headers.get("transfer-encoding", "").lower():
            self._chunked, self._left = True, 0
        elif (length := headers.get("content-length")) is not None:
            if not length.isdecimal():
                raise WireError(f"the answer's Content-Length is {length!r}")
            self._left = int(length)
            self._done = self._left == 0
        else:
            self._left, self._close_after = None, True
        return head

    def _next_head(self) -> Head:
        data = self._pending
        while (end := data.find(b"\r\n\r\n")) < 0:
            if len(data) > _MAX_HEAD_BYTES:
                raise WireError("the answer's headers are longer than 64 KiB")
            data += self._recv(16_384)
        self._pending = data[end + 4 :]
        lines = data[:end].decode("latin-1").split("\r\n")
        status = lines[0][9:12]
        if not lines[0].startswith("HTTP/1.") or not status.isdecimal():
            raise WireError(f"the answer is not HTTP/1.1: {lines[0][:60]!r}")
        headers: dict[str, str] = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if lines[0].startswith("HTTP/1.0"):
            headers.setdefault("connection", "close")
        return Head(int(status), headers)

    def readinto(self, view: memoryview) -> int:
        """Read some of the body into `view`; 0 at its end. One receive at most. Raises WireError."""
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
                raise _wire_error(error, "receiving") from error
            if count == 0:
                self._done = True
                if self._left is None:
                    return 0
                raise WireError(f"the connection ended {self._left} bytes before the answer's end")
        if self._left is not None:
            self._left -= count
            if self._left == 0 and not self._chunked:
                self._done = True
        return count

    def _next_chunk(self) -> bool:
        line = self._line()
        if line == b"":  # the line end of the chunk before
            line = self._line()
        try:
            size = int(line.split(b";")[0], 16)
        except ValueError as error:
            raise WireError(f"a chunk's size is {line[:40]!r}") from error
        if size == 0:
            while self._line():
                pass
            self._done = True
            return False
        self._left = size
        return True

    def _line(self) -> bytes:
        while (end := self._pending.find(b"\r\n")) < 0:
            if len(self._pending) > _MAX_HEAD_BYTES:
                raise WireError("a line of a chunked answer is longer than 64 KiB")
            self._pending += self._recv(16_384)
        line, self._pending = self._pending[:end], self._pending[end + 2 :]
        return line

    def read_all(self, limit: int) -> bytes:
        """The rest of the body, at most `limit` bytes (what is longer makes the connection unusable)."""
        if self._done:
            return b""
        if self._left and not self._chunked and self._left <= len(self._pending):
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

    def _recv(self, size: int) -> bytes:
        try:
            data = self._sock.recv(size)
        except (OSError, ValueError) as error:
            raise _wire_error(error, "receiving") from error
        if not data:
            raise WireError("the other side closed the connection")
        return data

    # --- ending ------------------------------------------------------------------------------------------

    @property
    def reusable(self) -> bool:
        """Whether the answer has been read to its end and the other side keeps the connection."""
        return self._done and not self._close_after and not self._pending

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


def _wire_error(error: Exception, doing: str) -> WireError:
    if isinstance(error, TimeoutError | BlockingIOError | ssl.SSLWantReadError | ssl.SSLWantWriteError):
        return WireTimeout(f"nothing moved within the time-out while {doing}")
    return WireError(f"the connection broke while {doing}: {error}")
