"""The central directory: read in blocks, walked once to check its structure, decoded entry by entry.

The directory's own bytes are kept (about 100 per entry) and an `Entry` is made when asked for. Bytes and
columns lie in the workspace, so that an archive of a million entries need not take memory for them.
"""

import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import overload

from runtime.shared.contracts import ParkReason
from runtime.shared.sizes import MIB
from runtime.worker.archive.ending import Ending, find_ending, refuse_rival
from runtime.worker.archive.entry import Entry, decode_name
from runtime.worker.archive.errors import ArchiveRejected, BadExtraField
from runtime.worker.archive.limits import ByteSource, Limits
from runtime.worker.archive.records import CENTRAL, FULL16, FULL32, LOCAL, zip64_fields
from runtime.worker.archive.sorting import sorted_by
from runtime.worker.archive.tail import TailReader
from runtime.worker.archive.walk import Rows, walk
from runtime.worker.archive.workspace import Content, HeapWorkspace, Workspace, column

BLOCK_BYTES = 4 * MIB
_ENTRY = struct.Struct("<8x2H4x3L2H6x2L")
_NAME = struct.Struct("<8xH18x2H")  # flags, and the lengths of name and extra fields
_LET_GO_EVERY = 4_096
_LET_GO_SCATTERED = 512  # each may have brought its neighbourhood into memory

# The longest that name, extra field and data descriptor can make an entry beyond its least end; longer names
# are refused.
_LARGEST_REST = 1_024 + FULL16 + 24


class Directory(Sequence[Entry]):
    """The entries of one archive in the directory's order; immutable."""

    def __init__(
        self, raw: Content, rows: Rows, ending: Ending, limits: Limits, workspace: Workspace
    ) -> None:
        self.offset = ending.placed.offset
        self.zip64 = ending.zip64
        self.notes = ending.notes
        """The archive's oddities that lead nowhere else."""
        if rows.count != ending.entries:
            self.notes += (f"its {rows.count} entries are announced as {ending.entries}",)
        self.limits = limits
        self.workspace = workspace
        self.rows = rows
        self._raw = raw
        self._order: memoryview | range = range(rows.count)
        self._sorted_starts = rows.starts[: rows.count]
        if not rows.ordered:
            order = sorted_by(self._sorted_starts, workspace)
            ordered = column(workspace, "Q", rows.count)
            for place, index in enumerate(order):
                ordered[place] = rows.starts[index]
            self._order, self._sorted_starts = order, ordered
        workspace.let_go()

    def __len__(self) -> int:
        return self.rows.count

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> list[Entry]: ...
    def __getitem__(self, index: int | slice) -> Entry | list[Entry]:
        if isinstance(index, slice):
            return [self._entry(at) for at in range(*index.indices(len(self)))]
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(f"entry {index} of {len(self)}")
        return self._entry(index)

    def __iter__(self) -> Iterator[Entry]:
        return self.entries(0, len(self))

    def entries(self, first: int, last: int) -> Iterator[Entry]:
        """The entries [first, last), made as they are asked for."""
        for start in range(first, last, _LET_GO_EVERY):
            yield from map(self._entry, range(start, min(start + _LET_GO_EVERY, last)))
            self.workspace.let_go()

    def name(self, index: int) -> str:
        """An entry's name, for less than the entry costs."""
        position = self.rows.positions[index]
        flags, name_length, extra_length = _NAME.unpack_from(self._raw, position)
        start = position + CENTRAL.size
        extra = self._raw[start + name_length : start + name_length + extra_length]
        if b"\x75\x70" in extra:  # the name may be there
            return self._entry(index).name
        return decode_name(self._raw[start : start + name_length], flags, b"", self.limits)

    def by_place(self) -> Iterator[int]:
        """Every entry's index, as they lie in the archive."""
        step = _LET_GO_EVERY if self.rows.ordered else _LET_GO_SCATTERED
        for start in range(0, len(self), step):
            yield from self._order[start : start + step]
            self.workspace.let_go()

    def refuse_rivals(self, tail_reader: TailReader, ending: Ending) -> None:
        """An end record in an entry's data (a ZIP stored inside) is nobody's; outside it, it is a second one.

        Only the tail is looked at, as by every reader. Raises ArchiveRejected.
        """
        for at in ending.earlier:
            if not self._holds(tail_reader, at):
                refuse_rival(tail_reader, ending, at)

    def _holds(self, tail_reader: TailReader, position: int) -> bool:
        before = bisect_right(self._sorted_starts, position) - 1
        if before < 0:
            return False
        index = self._order[before]
        if position < self.rows.ends[index]:
            return True
        entry = self._entry(index)
        fixed = tail_reader.read(entry.local_offset, LOCAL.size)
        *_rest, name_length, extra_length = LOCAL.unpack(fixed)
        data = entry.local_offset + LOCAL.size + int(name_length) + int(extra_length)
        return position < data + entry.compressed_size

    def extra_fields(self, entry: Entry) -> bytes:
        """The entry's extra fields in the directory, 4.4.28."""
        position = self.rows.positions[entry.index]
        name_length, extra_length = struct.unpack_from("<2H", self._raw, position + 28)
        start = position + CENTRAL.size + name_length
        return self._raw[start : start + extra_length]

    def span(self, entry: Entry) -> tuple[int, int]:
        """[start, end) of the archive's bytes that hold the entry: local header, data and data descriptor.

        The end is an upper bound, because a local header's length is known only when it is read: it is the
        next local header or the directory, unless the entry cannot reach so far.
        """
        starts, offset = self._sorted_starts, entry.local_offset
        following = entry.index + 1
        if not self.rows.ordered or (following < len(starts) and starts[following] <= offset):
            following = bisect_right(starts, offset)
        bound = starts[following] if following < len(starts) else self.offset
        return offset, min(bound, self.rows.ends[entry.index] + _LARGEST_REST)

    def spans(self) -> Iterator[tuple[int, int, int]]:
        """Index and span of every entry, as they lie in the archive."""
        starts, ends = self._sorted_starts, self.rows.ends
        following, count = 0, len(starts)
        for index in self.by_place():
            start = self.rows.starts[index]
            while following < count and starts[following] <= start:
                following += 1
            bound = starts[following] if following < count else self.offset
            yield index, start, min(bound, ends[index] + _LARGEST_REST)

    def _entry(self, index: int) -> Entry:
        position = self.rows.positions[index]
        flags, method, crc, compressed_size, size, name_length, extra_length, attrs, offset = (
            _ENTRY.unpack_from(self._raw, position)
        )
        start = position + 46
        raw_name = self._raw[start : start + name_length]
        extra, fault = b"", None
        if extra_length:
            extra = self._raw[start + name_length : start + name_length + extra_length]
        if FULL32 in (compressed_size, size, offset):
            try:
                size, compressed_size, *_ = zip64_fields(extra, size, compressed_size, offset)
            except BadExtraField as bad:
                fault = str(bad)
        try:
            name = decode_name(raw_name, flags, extra, self.limits)
        except BadExtraField as bad:
            fault = str(bad)
            name = decode_name(raw_name, flags, b"", self.limits)
        offset = self.rows.starts[index]
        if fault is None and offset == self.offset == self.rows.ends[index]:
            fault = "its record does not say where it is: a disk number that its extra fields do not explain"
        return Entry(index, name, raw_name, flags, method, crc, compressed_size, size, offset, attrs, fault)


def read_directory(
    source: ByteSource, limits: Limits, *, tail: bytes | None = None, workspace: Workspace | None = None
) -> Directory:
    """Find, read and check the central directory; one read of the tail when the directory fits into it.

    `tail`: the archive's last bytes, when the caller has them already. Raises ArchiveRejected.
    """
    workspace = workspace or HeapWorkspace()
    tail_reader, ending = find_ending(source, tail)
    if ending.zip64 and ending.entries > limits.max_entries:
        raise _over_limit(f"{ending.entries} entries, over the limit of {limits.max_entries}")
    size = ending.placed.size
    if size > limits.max_directory_bytes:
        raise _over_limit(f"a directory of {size} bytes, over the limit of {limits.max_directory_bytes}")
    raw = _read(tail_reader, ending.placed.offset, size, workspace)
    directory = Directory(raw, walk(raw, ending, limits, workspace), ending, limits, workspace)
    directory.refuse_rivals(tail_reader, ending)
    return directory


def _read(tail_reader: TailReader, offset: int, size: int, workspace: Workspace) -> Content:
    spill = workspace.spill()
    for at in range(0, size, BLOCK_BYTES):
        spill.append(tail_reader.read(offset + at, min(BLOCK_BYTES, size - at)))
    return spill.content()


def _over_limit(text: str) -> ArchiveRejected:
    return ArchiveRejected(ParkReason.ARCHIVE_LIMIT_EXCEEDED, f"the archive announces {text}")
