"""A decompressor for each method that is read, with bounded memory whatever the data asks for.

`decompress(data, max_length)` never returns more than `max_length` bytes (Deflate64: a few MiB), so that a
bomb shows itself step by step and not as one allocation.
"""

import bz2
import lzma
import struct
import sys
import zlib
from typing import Any

from runtime.shared.contracts import EntryOutcome
from runtime.worker.archive import methods
from runtime.worker.archive.entry import Entry
from runtime.worker.archive.errors import EntryRejected
from runtime.worker.archive.inflate import Decompressor, InflateError, Inflater
from runtime.worker.archive.limits import Buffer
from runtime.worker.archive.resumable_inflate import RESUMABLE, ResumableInflater

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# LZMA and Zstandard data name the history they need; deflate needs 32 KiB, bzip2 4 MB. 32 MiB is 7-Zip's
# normal level and beyond zstd's default (8 MiB), and 32 slots of it stay under the worker's memory.
MAX_WINDOW_BITS = 25

# What the libraries raise for bad data. inflate64 raises ValueError, bz2 OSError.
DATA_ERRORS: tuple[type[Exception], ...] = (
    InflateError, zlib.error, OSError, EOFError, ValueError, lzma.LZMAError, zstd.ZstdError,
)  # fmt: skip


class Deflate64:
    """inflate64 has no working output limit, so its input is fed in pieces that bound the output.

    One length code of 18 bits makes at most 65,538 bytes: 128 bytes of input, under 4 MiB.
    """

    _PIECE = 128

    def __init__(self, compressed_size: int) -> None:
        import inflate64

        self._inner: Any = inflate64.Inflater()
        self._left = compressed_size
        self._pending = memoryview(b"")
        self.unused_data = b""

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof) and not self._left

    @property
    def needs_input(self) -> bool:
        return not self._pending

    def decompress(self, data: Buffer, /, max_length: int = -1) -> bytes:
        if data:
            self._pending = memoryview(data)
        out: list[bytes] = []
        produced = 0
        while self._pending and produced < max_length:
            if self._inner.eof:
                # It says that it reached the end but not where, so the last byte is always fed alone:
                # whoever is at the end before it has garbage behind.
                self.unused_data = bytes(self._pending[:1])
                self._left = 0
                break
            length = min(self._PIECE, len(self._pending), max(1, self._left - 1))
            out.append(self._inner.inflate(self._pending[:length]))
            self._pending = self._pending[length:]
            self._left -= length
            produced += len(out[-1])
        return b"".join(out)


class ZipLzma:
    """LZMA as ZIP wraps it, 5.8.8: version, length of the properties, properties, data.

    liblzma reads raw LZMA only up to the end of its input, and would go on into garbage. Its `.lzma` format
    has the same properties and the size in front, so that header is made here: the end is then known exactly.

    The last bytes are fed in one piece: liblzma takes an end marker behind a known size for damage when it
    comes in two.
    """

    _HEAD = 9
    _LAST = 32

    def __init__(self, entry: Entry) -> None:
        # 4.4.4 bit 1, for LZMA: the data ends with a marker.
        self._size = -1 if entry.flags & 2 else entry.size
        self._left = entry.compressed_size
        self._held = b""
        self._inner: lzma.LZMADecompressor | None = None

    @property
    def eof(self) -> bool:
        return self._inner is not None and self._inner.eof

    @property
    def needs_input(self) -> bool:
        return self._inner is None or self._inner.needs_input

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data if self._inner else b""

    def decompress(self, data: Buffer, /, max_length: int = -1) -> bytes:
        self._left -= len(data)
        data = self._held + bytes(data)
        if self._inner is None:
            if len(data) < self._HEAD:
                self._held = data
                return b""
            self._inner = self._open(data)
            data = data[self._HEAD :]
        ready = max(0, len(data) - self._LAST) if self._left else len(data)
        self._held = data[ready:]
        return self._inner.decompress(data[:ready], max_length)

    def _open(self, head: bytes) -> lzma.LZMADecompressor:
        length, properties, window = struct.unpack_from("<2xHBL", head)
        if length != 5:
            raise ValueError(f"{length} bytes of LZMA properties instead of 5")
        _check_window(window)
        inner = lzma.LZMADecompressor(lzma.FORMAT_ALONE)
        inner.decompress(struct.pack("<BLq", properties, window, self._size), 0)
        return inner


class ZipZstandard:
    """Zstandard, RFC 8878 section 3: one frame after the other, those to be skipped among them.

    Writers that use several threads, and those that append, write many frames. What a frame leaves over is
    copied, so a frame gets a small piece first: one of a few bytes must not cost the copy of all the rest.
    """

    _FIRST_PIECE = 4096

    def __init__(self, compressed_size: int) -> None:
        self._left = compressed_size
        self._pending = memoryview(b"")
        self._begin()
        self.unused_data = b""

    def _begin(self) -> None:
        options = {int(zstd.DecompressionParameter.window_log_max): MAX_WINDOW_BITS}
        self._frame = zstd.ZstdDecompressor(options=options)
        self._fresh = True

    @property
    def eof(self) -> bool:
        return self._frame.eof and not (self._pending or self._left)

    @property
    def needs_input(self) -> bool:
        return not self._pending and (self._frame.eof or self._frame.needs_input)

    def decompress(self, data: Buffer, /, max_length: int = -1) -> bytes:
        if data:
            self._left -= len(data)
            self._pending = memoryview(data)
        out = b""
        while not out and not self.needs_input:
            if self._frame.eof:
                self._begin()
            out = self._decompress_piece(max_length)
        return out

    def _decompress_piece(self, max_length: int) -> bytes:
        frame, piece = self._frame, self._pending[:0]
        if frame.needs_input:
            piece = self._pending[: self._FIRST_PIECE] if self._fresh else self._pending
            self._fresh = False
        try:
            out = frame.decompress(piece, max_length)
        except zstd.ZstdError as error:
            if "too much memory" in str(error):
                raise _over_window("too many bytes") from error
            raise
        unused = len(frame.unused_data) if frame.eof else 0
        self._pending = self._pending[len(piece) - unused :]
        return out


def _check_window(window: int) -> None:
    if window > 1 << MAX_WINDOW_BITS:
        raise _over_window(f"{window} bytes")


def _over_window(needed: str) -> EntryRejected:
    return EntryRejected(
        EntryOutcome.LIMIT_EXCEEDED,
        f"the data needs a window of {needed}, over the limit of {1 << MAX_WINDOW_BITS} bytes",
    )


def can_resume(entry: Entry) -> bool:
    """Whether reading the entry's data can be interrupted, and resumed from a saved state."""
    return entry.method == methods.STORED or (entry.method == methods.DEFLATE and RESUMABLE)


def decompressor(entry: Entry, *, resumable: bool = False, state: bytes = b"") -> Decompressor | None:
    """For the entry's data; None for stored entries. Raises EntryRejected for a method that is not read.

    `state` is one that a resumable decompressor has saved; InflateStateError when it is none.
    """
    match entry.method:
        case methods.STORED:
            return None
        case methods.DEFLATE:
            return ResumableInflater(state or None) if resumable and RESUMABLE else Inflater()
        case methods.BZIP2:
            return bz2.BZ2Decompressor()
        case methods.ZSTANDARD:
            return ZipZstandard(entry.compressed_size)
        case methods.LZMA:
            return ZipLzma(entry)
        case methods.DEFLATE64:
            return Deflate64(entry.compressed_size)
    raise EntryRejected(
        EntryOutcome.UNSUPPORTED_METHOD, f"{methods.method_name(entry.method)} cannot be read"
    )
