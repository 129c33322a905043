"""Archives as byte ranges: laid out from their members, never written anywhere.

`LaidOutZip` knows where each byte of the ZIP comes from, so a 5 GiB archive costs the memory of its
directory. `Blob` is an archive that somebody wrote by hand, which is how tests bring their malformed
ones.
"""

import hashlib
import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from local.export_api.content import Content

_STORED, _DEFLATED = 0, 8
_UTF8, _DATA_DESCRIPTOR = 0x0800, 0x0008
_DOS_DATE_TIME = (26 << 9 | 11 << 5 | 23, 0)
_U16, _U32 = 0xFFFF, 0xFFFFFFFF


class Archive(Protocol):
    """The interface of an archive that the server needs: its length, a strong ETag, and any range of it."""

    @property
    def size(self) -> int: ...
    @property
    def etag(self) -> str: ...
    def stream(self, offset: int, length: int) -> Iterator[bytes]: ...


@dataclass(frozen=True)
class Blob:
    """An archive (or anything else) that is simply these bytes."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.data).hexdigest()[:32]}"'

    def stream(self, offset: int, length: int) -> Iterator[bytes]:
        yield self.data[offset : offset + length]


@dataclass(frozen=True, kw_only=True)
class Member:
    """One file of a ZIP to lay out."""

    name: str
    content: Content
    deflate: bool = True
    descriptor: bool = False  # sizes and CRC after the data, as streaming exporters write them
    zip64: bool = False  # 64-bit fields even where 32 bits would do

    def payload(self) -> tuple[int, list[bytes] | None]:
        """The compressed size, and the pieces of the deflate stream (None: stored, read from the content)."""
        if not self.deflate:
            return self.content.size, None
        pieces = self.content.deflated()
        return sum(map(len, pieces)), pieces


@dataclass(frozen=True)
class _Segment:
    start: int
    length: int
    read: Callable[[int, int], bytes]


@dataclass(kw_only=True)
class LaidOutZip:
    """A ZIP whose every range can be computed; `cut` bytes are left off its end, as if truncated."""

    members: Sequence[Member]
    cut: int = 0
    _segments: list[_Segment] = field(default_factory=list, init=False, repr=False)
    _starts: list[int] = field(default_factory=list, init=False, repr=False)
    _length: int = field(default=0, init=False, repr=False)
    _identity: str = field(default="", init=False, repr=False)

    def __post_init__(self) -> None:
        directory = [self._add_member(member) for member in self.members]
        offset = self._length
        self._add_bytes(b"".join(directory))
        self._add_bytes(_end_records(len(directory), self._length - offset, offset, self._zip64()))
        self._length -= self.cut
        self._starts = [segment.start for segment in self._segments]
        self._identity = hashlib.sha256(b"".join(directory) + str(self._length).encode()).hexdigest()[:32]

    @property
    def size(self) -> int:
        return self._length

    @property
    def etag(self) -> str:
        return f'"{self._identity}"'

    def stream(self, offset: int, length: int) -> Iterator[bytes]:
        """The range [offset, offset + length), in pieces of at most a few MiB."""
        position, end = offset, min(offset + length, self._length)
        index = bisect_right(self._starts, position) - 1
        while position < end:
            segment = self._segments[index]
            within = position - segment.start
            take = min(segment.length - within, end - position, 1 << 20)
            if take <= 0:
                index += 1
                continue
            yield segment.read(within, take)
            position += take

    def _zip64(self) -> bool:
        return any(member.zip64 for member in self.members) or self._length > _U32 or len(self.members) > _U16

    def _add(self, length: int, read: Callable[[int, int], bytes]) -> None:
        if length:
            self._segments.append(_Segment(self._length, length, read))
            self._length += length

    def _add_bytes(self, data: bytes) -> None:
        self._add(len(data), lambda offset, length: data[offset : offset + length])

    def _add_member(self, member: Member) -> bytes:
        """Lay out one member; returns its directory record."""
        offset = self._length
        name = member.name.encode()
        compressed, pieces = member.payload()
        size, crc = member.content.size, member.content.crc32()
        wide = member.zip64 or size >= _U32 or compressed >= _U32
        flags = _UTF8 | (_DATA_DESCRIPTOR if member.descriptor else 0)
        method = _DEFLATED if member.deflate else _STORED
        date, time = _DOS_DATE_TIME
        local_crc, local_compressed, local_size = (0, 0, 0) if member.descriptor else (crc, compressed, size)
        local_extra = struct.pack("<HHQQ", 1, 16, local_size, local_compressed) if wide else b""
        narrow = (_U32, _U32) if wide else (local_compressed, local_size)
        self._add_bytes(
            struct.pack(
                "<4s5H3I2H", b"PK\x03\x04", 45 if wide else 20, flags, method, time, date,
                local_crc, *narrow, len(name), len(local_extra),
            )
            + name
            + local_extra
        )  # fmt: skip
        if pieces is None:
            self._add(compressed, member.content.read)
        else:
            for piece in pieces:
                self._add_bytes(piece)
        if member.descriptor:
            self._add_bytes(struct.pack("<4sIQQ" if wide else "<4sIII", b"PK\x07\x08", crc, compressed, size))
        far = offset >= _U32
        needs_64 = ((size, wide), (compressed, wide), (offset, far))
        extra = b"".join(struct.pack("<Q", value) for value, needed in needs_64 if needed)
        if extra:
            extra = struct.pack("<HH", 1, len(extra)) + extra
        return (
            struct.pack(
                "<4s6H3I5H2I", b"PK\x01\x02", 45, 45 if extra else 20, flags, method, time, date, crc,
                _U32 if wide else compressed, _U32 if wide else size, len(name), len(extra), 0, 0, 0,
                0, _U32 if far else offset,
            )
            + name
            + extra
        )  # fmt: skip


def _end_records(entries: int, size: int, offset: int, zip64: bool) -> bytes:
    if not zip64:
        return struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, entries, entries, size, offset, 0)
    record = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, entries, entries, size, offset)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, offset + size, 1)
    return record + locator + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, _U16, _U16, _U32, _U32, 0)
