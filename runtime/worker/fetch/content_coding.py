"""`Content-Encoding` on an archive: undone while it is spooled, though we asked for none (RFC 9110, 8.4).

Some servers compress whatever they send, and some label a ZIP with a coding that it does not have. The bytes
decide: a body that does not begin as its coding must is taken as it is.
"""

import sys
import zlib
from collections.abc import Callable
from typing import Protocol

from runtime.shared.http.errors import TransferError
from runtime.shared.http.grammar import Head
from runtime.worker.fetch.errors import DownloadFailed
from runtime.worker.fetch.transport import Response

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_INPUT_BYTES = 64 * 1024
_WINDOW_LOG_MAX = 27  # 128 MiB; RFC 9659 has senders stay below 8 MiB

# What is written there although it is no coding: S3 keeps the upload's "aws-chunked".
_NO_CODING = frozenset({"", "identity", "none", "binary", "utf-8", "aws-chunked"})


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decode(self, data: bytes, room: int) -> bytes: ...


class _Zlib:
    def __init__(self, window_bits: int) -> None:
        self._inner = zlib.decompressobj(window_bits)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decode(self, data: bytes, room: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, room)


class _Zstandard:
    def __init__(self) -> None:
        options = {int(zstd.DecompressionParameter.window_log_max): _WINDOW_LOG_MAX}
        self._inner = zstd.ZstdDecompressor(options=options)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decode(self, data: bytes, room: int) -> bytes:
        return self._inner.decompress(data, room)


def _deflate(begins: bytes) -> _Decoder:
    # RFC 9110, 8.4.1.2: zlib's format; "some non-conformant implementations" leave its wrapper away.
    wrapped = begins[0] & 0x0F == 8 and int.from_bytes(begins[:2], "big") % 31 == 0
    return _Zlib(15 if wrapped else -15)


_GZIP = b"\x1f\x8b"
_ZSTANDARD = b"\x28\xb5\x2f\xfd"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x07\x08", b"PK00")
_DECODERS: dict[str, tuple[bytes, Callable[[bytes], _Decoder]]] = {
    "gzip": (_GZIP, lambda _: _Zlib(31)),
    "x-gzip": (_GZIP, lambda _: _Zlib(31)),
    "deflate": (b"", _deflate),
    "zstd": (_ZSTANDARD, lambda _: _Zstandard()),
}


def content_coding(head: Head) -> str | None:
    """The coding of an answer's body; None when there is none."""
    codings = [coding.strip().lower() for coding in head.headers.get("content-encoding", "").split(",")]
    real = [coding for coding in codings if coding not in _NO_CODING]
    return ", ".join(real) or None


class Body(Protocol):
    """An answer's body without its coding. `length` is what is announced of it, in bytes."""

    length: int | None

    def readinto(self, view: memoryview) -> int: ...


class _AsItIs:
    def __init__(self, response: Response, begins: bytes = b"") -> None:
        length = response.head.headers.get("content-length")
        self.length = None if length is None or response.head.is_chunked else int(length.split(",")[0])
        self._response = response
        self._begins = begins

    def readinto(self, view: memoryview) -> int:
        if not self._begins:
            return self._response.readinto(view)
        count = min(len(view), len(self._begins))
        view[:count], self._begins = self._begins[:count], self._begins[count:]
        return count


class _Decoded:
    length: int | None = None

    def __init__(self, response: Response, begins: bytes, make: Callable[[bytes], _Decoder]) -> None:
        self._response = response
        self._pending = begins
        self._make = make
        self._decoder = make(begins)
        self._input = memoryview(bytearray(_INPUT_BYTES))

    def readinto(self, view: memoryview) -> int:
        """Raises TransferError also for data that cannot be decoded: they were damaged on the way."""
        while True:
            if self._decoder.eof:  # another member or frame, or the end
                self._pending = self._decoder.unused_data or self._more()
                if not self._pending:
                    return 0
                self._decoder = self._make(self._pending)
            try:
                out = self._decoder.decode(self._pending, len(view))
            except (zlib.error, zstd.ZstdError) as error:
                raise TransferError(f"the answer's content coding is damaged: {error}") from error
            self._pending = b""
            if out:
                view[: len(out)] = out
                return len(out)
            if not self._decoder.eof:
                self._pending = self._more()
                if not self._pending:
                    raise TransferError("the answer ends inside its content coding")

    def _more(self) -> bytes:
        return bytes(self._input[: self._response.readinto(self._input)])


def body_of(response: Response) -> Body:
    """The body of a 200. Raises DownloadFailed for a coding that is not known here, TransferError."""
    coding = content_coding(response.head)
    if coding is None:
        return _AsItIs(response)
    begins = _first_bytes(response)
    if begins.startswith(_ZIP) or not begins:
        return _AsItIs(response, begins)
    if coding not in _DECODERS:
        raise DownloadFailed(
            f"the server sends the archive with Content-Encoding {coding}, which is not read here "
            f"({', '.join(_DECODERS)} are), although it was asked for none"
        )
    magic, make = _DECODERS[coding]
    return _Decoded(response, begins, make) if begins.startswith(magic) else _AsItIs(response, begins)


def _first_bytes(response: Response) -> bytes:
    buffer = bytearray(4)
    got = 0
    while got < len(buffer) and (count := response.readinto(memoryview(buffer)[got:])):
        got += count
    return bytes(buffer[:got])
