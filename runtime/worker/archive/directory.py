"""The central directory: read in one piece, walked once to check its structure, decoded entry by entry.

The directory's own bytes are kept (about 100 per entry) and an `Entry` is made when asked for: an archive of
a million entries then costs some 120 MB and not a gigabyte, and 100,000 are walked in a tenth of a second.
"""

import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import overload

from runtime.shared.contracts import ParkReason
from runtime.worker.archive.ending import TailReader, find_ending
from runtime.worker.archive.entry import Entry, decode_name
from runtime.worker.archive.errors import ArchiveRejected, invalid
from runtime.worker.archive.limits import ByteSource, Limits
from runtime.worker.archive.records import (
    CENTRAL,
    CENTRAL_SIGNATURE,
    EXTRA_UNICODE_PATH,
    FULL16,
    FULL32,
    LOCAL,
    Zip64Fields,
    the_extra,
    zip64_fields,
)

# Only what the walk needs: signature, sizes, the three lengths, disk, offset of the local header.
_WALK = struct.Struct("<4s16x2L4H6xL")
_ENTRY = struct.Struct("<8x2H4x3L2H6x2L")

# The longest that local header, extra field and data descriptor can make an entry besides name and data.
_LARGEST_OVERHEAD = LOCAL.size + FULL16 + 24


class Directory(Sequence[Entry]):
    """The entries of one archive in the directory's order; immutable."""

    def __init__(
        self, raw: bytes, offset: int, positions: "array[int]", local_offsets: "array[int]", *, zip64: bool
    ) -> None:
        self.offset = offset
        self.zip64 = zip64
        self._raw = raw
        self._positions = positions
        self._starts = array("Q", sorted(local_offsets))

    @property
    def memory_bytes(self) -> int:
        """What holding this directory costs."""
        return len(self._raw) + 8 * (len(self._positions) + len(self._starts))

    def __len__(self) -> int:
        return len(self._positions)

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> list[Entry]: ...
    def __getitem__(self, index: int | slice) -> Entry | list[Entry]:
        if isinstance(index, slice):
            return list(self.entries(*index.indices(len(self))))
        if index < 0:
            index += len(self)
        return self._entry(index, self._positions[index])

    def __iter__(self) -> Iterator[Entry]:
        return map(self._entry, range(len(self._positions)), self._positions)

    def entries(self, first: int, last: int, step: int = 1) -> Iterator[Entry]:
        """The entries [first, last), made as they are asked for."""
        for index in range(first, last, step):
            yield self._entry(index, self._positions[index])

    def extra_fields(self, entry: Entry) -> bytes:
        """The entry's extra fields in the directory, 4.4.28."""
        position = self._positions[entry.index]
        name_length, extra_length = struct.unpack_from("<2H", self._raw, position + 28)
        start = position + CENTRAL.size + name_length
        return self._raw[start : start + extra_length]

    def span(self, entry: Entry) -> tuple[int, int]:
        """[start, end) of the archive's bytes that hold the entry: local header, data and data descriptor.

        The end is an upper bound, because a local header's length is known only when it is read: it is the
        next local header or the directory, unless the entry cannot reach so far.
        """
        following = bisect_right(self._starts, entry.local_offset)
        bound = self._starts[following] if following < len(self._starts) else self.offset
        reach = entry.local_offset + _LARGEST_OVERHEAD + len(entry.raw_name) + entry.compressed_size
        return entry.local_offset, min(bound, reach)

    def _entry(self, index: int, position: int) -> Entry:
        flags, method, crc, compressed_size, size, name_length, extra_length, attrs, offset = (
            _ENTRY.unpack_from(self._raw, position)
        )
        start = position + 46
        raw_name = self._raw[start : start + name_length]
        extra = b""
        if extra_length:
            extra = self._raw[start + name_length : start + name_length + extra_length]
            if FULL32 in (compressed_size, size, offset):
                size, compressed_size, offset, _disk = zip64_fields(extra, size, compressed_size, offset)
        name = decode_name(raw_name, flags, extra)
        return Entry(index, name, raw_name, flags, method, crc, compressed_size, size, offset, attrs)


def read_directory(source: ByteSource, limits: Limits, *, tail: bytes | None = None) -> Directory:
    """Find, read and check the central directory; one read of the tail when the directory fits into it.

    `tail`: the archive's last bytes, when the caller has them already. Raises ArchiveRejected.
    """
    tail_reader = TailReader(source, tail)
    ending = find_ending(tail_reader)
    if ending.entries > limits.max_entries:
        raise _over_limit(f"{ending.entries} entries, over the limit of {limits.max_entries}")
    if ending.directory_size > limits.max_directory_bytes:
        raise _over_limit(
            f"a directory of {ending.directory_size} bytes, over the limit of {limits.max_directory_bytes}"
        )
    raw = tail_reader.read(ending.directory_offset, ending.directory_size)
    positions, local_offsets = _walk(raw, ending.entries)
    return Directory(raw, ending.directory_offset, positions, local_offsets, zip64=ending.zip64)


def _walk(raw: bytes, count: int) -> tuple["array[int]", "array[int]"]:
    """Where each central header begins (4.3.12) and which local header it names.

    What passes here can be decoded without error later, so that iterating a Directory never raises.
    """
    if count * CENTRAL.size > len(raw):
        raise invalid(f"{count} entries cannot fit into a directory of {len(raw)} bytes")
    positions, local_offsets = array("Q"), array("Q")
    unpack, last = _WALK.unpack_from, len(raw) - CENTRAL.size
    position = 0
    for index in range(count):
        if position > last:
            raise invalid(f"the directory ends inside entry {index} of {count}")
        signature, compressed_size, size, name_length, extra_length, comment_length, disk, offset = unpack(
            raw, position
        )
        if signature != CENTRAL_SIGNATURE:
            raise invalid(f"entry {index} of the directory does not begin with a central header")
        start = position + 46 + name_length
        if disk or FULL32 in (compressed_size, size, offset):
            extra = raw[start : start + extra_length]
            offset = _resolved(index, extra, (size, compressed_size, offset, disk)).local_offset
        if extra_length and raw.find(b"\x75\x70", start, start + extra_length) >= 0:
            the_extra(raw[start : start + extra_length], EXTRA_UNICODE_PATH)  # doubled: refused here
        positions.append(position)
        local_offsets.append(offset)
        position = start + extra_length + comment_length
    if position != len(raw):
        raise invalid(
            f"the {count} entries take {position} bytes of the directory, the end record says {len(raw)}"
        )
    return positions, local_offsets


def _resolved(index: int, extra: bytes, stated: tuple[int, int, int, int]) -> Zip64Fields:
    try:
        fields = zip64_fields(extra, *stated)
    except ArchiveRejected as fault:
        raise invalid(f"entry {index}: {fault.text}") from fault
    if fields.disk:
        raise ArchiveRejected(
            ParkReason.MULTI_DISK_ARCHIVE, f"entry {index} begins on disk {fields.disk} of a split archive"
        )
    return fields


def _over_limit(text: str) -> ArchiveRejected:
    return ArchiveRejected(ParkReason.ARCHIVE_LIMIT_EXCEEDED, f"the archive announces {text}")
