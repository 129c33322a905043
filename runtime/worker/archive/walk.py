"""The one pass over a directory's bytes that finds where each entry's record begins, and what it occupies.

Numbers only, in columns that may lie on disk: what compares entries with one another works on them. What
passes here is decoded without error later, so that iterating a Directory never raises.
"""

import struct
from dataclasses import dataclass

from runtime.shared.contracts import ParkReason
from runtime.worker.archive.ending import Ending
from runtime.worker.archive.entry import decode_name
from runtime.worker.archive.errors import ArchiveRejected, BadExtraField, invalid
from runtime.worker.archive.limits import Limits
from runtime.worker.archive.names import identity
from runtime.worker.archive.placing import Placed
from runtime.worker.archive.records import (
    CENTRAL,
    CENTRAL_SIGNATURE,
    DIGITAL_SIGNATURE,
    ENCRYPTED_DIRECTORY_SIGNATURE,
    FULL16,
    FULL32,
    FULL64,
    LOCAL,
    Zip64Fields,
    zip64_fields,
)
from runtime.worker.archive.workspace import Content, Workspace, column

# Only what the walk needs: signature, flags, sizes, the three lengths, disk, offset of the local header.
_WALK = struct.Struct("<4s4xH10x2L4H6xL")
_WRAP = 1 << 32
_LET_GO_EVERY = 4_096


@dataclass(slots=True, kw_only=True)
class Rows:
    """A column each, in the directory's order."""

    positions: memoryview
    """Of the central header in the directory's bytes."""
    starts: memoryview
    """Of the local header in the file; where it cannot be known, the directory's own place."""
    ends: memoryview
    """The least end: local header, name and data."""
    names: memoryview
    """A hash of the name by which it is compared with others."""
    count: int = 0
    ordered: bool = True
    """Whether the entries lie in the directory's order."""
    apart: bool = True
    """Whether no two share bytes, for certain."""


def walk(raw: Content, ending: Ending, limits: Limits, workspace: Workspace) -> Rows:
    """Raises ArchiveRejected."""
    most = min(len(raw) // CENTRAL.size, limits.max_entries + 1)
    if ending.zip64:
        most = min(most, ending.entries)
    rows = Rows(
        positions=column(workspace, "Q", most),
        starts=column(workspace, "Q", most),
        ends=column(workspace, "Q", most),
        names=column(workspace, "Q", most),
    )
    position = _walk(raw, ending, limits, workspace, rows)
    _check_count(rows.count, ending)
    whole = position == len(raw) or ending.placed.slack
    if not whole and raw[position : position + 4] != DIGITAL_SIGNATURE:  # 4.3.13: it closes the directory
        raise invalid(
            f"the {rows.count} entries take {position} bytes of the directory, the end record says {len(raw)}"
        )
    return rows


class _Places:
    """Where one entry after the other lies in the file."""

    def __init__(self, placed: Placed) -> None:
        self._directory = placed.offset
        self._base = placed.base
        self._modulo = placed.modulo
        self._wrapped = 0
        self._previous = 0
        self.furthest = 0
        self.ordered = True
        self.apart = True

    def take(self, offset: int, length: int) -> tuple[int, int]:
        """Start and least end of an entry with this stated offset."""
        start = offset + self._base + self._wrapped
        if self._modulo and start < self.furthest:
            again = -(-(self.furthest - start) // _WRAP) * _WRAP
            self._wrapped += again
            start += again
        end = start + length
        if start < self._previous:
            self.ordered = False
        if start < self.furthest or end > self._directory:
            self.apart = False
        self._previous = start
        self.furthest = max(self.furthest, end)
        # Two announced 64-bit numbers may add up to more.
        return min(start, FULL64), min(end, FULL64)


def _walk(raw: Content, ending: Ending, limits: Limits, workspace: Workspace, rows: Rows) -> int:
    """Fill the rows; returns where the last record ends."""
    unpack, last = _WALK.unpack_from, len(raw) - CENTRAL.size
    positions, starts, ends, names = rows.positions, rows.starts, rows.ends, rows.names
    places = _Places(ending.placed)
    nowhere = (ending.placed.offset, ending.placed.offset)
    position = index = 0
    while position <= last:
        signature, flags, compressed_size, size, name_length, extra_length, comment_length, disk, offset = (
            unpack(raw, position)
        )
        if signature != CENTRAL_SIGNATURE:
            break
        if index == len(positions):
            raise _too_many(index, limits)
        start = position + CENTRAL.size + name_length
        following = start + extra_length + comment_length
        if following > len(raw):
            raise invalid(f"the directory ends inside entry {index}")
        raw_name = raw[position + CENTRAL.size : start]
        extra = raw[start : start + extra_length] if extra_length else b""
        compared = _compared(raw_name, flags, extra, limits)
        # A name that can be written in several ways may be shorter in the local header.
        length = LOCAL.size + compressed_size + (name_length if compared is raw_name else 0)
        if disk or FULL32 in (compressed_size, size, offset):
            wide = _wide(index, extra, (size, compressed_size, offset, disk))
            if wide is not None:
                length += wide.compressed_size - compressed_size
                starts[index], ends[index] = places.take(wide.local_offset, length)
            else:
                starts[index], ends[index] = nowhere
        else:
            starts[index], ends[index] = places.take(offset, length)
        positions[index] = position
        names[index] = hash(compared) & FULL64
        position = following
        index += 1
        if index % _LET_GO_EVERY == 0:
            workspace.let_go()
    rows.count, rows.ordered, rows.apart = index, places.ordered, places.apart
    if ending.placed.modulo and ending.placed.offset - places.furthest >= _WRAP // 2:
        raise invalid("offsets are modulo 4 GiB, and where the entries lie cannot be told from them")
    if index < ending.entries and position < len(raw):
        raise _stopped(raw, position, index, ending)
    return position


def _compared(raw_name: bytes, flags: int, extra: bytes, limits: Limits) -> bytes:
    """The name's identity as bytes: nearly every name is its own."""
    if (
        raw_name.isascii()
        and b"\\" not in raw_name
        and b"/." not in raw_name
        and b"//" not in raw_name
        and raw_name[:1] not in (b"/", b".")
        and b"\x75\x70" not in extra
    ):
        return raw_name
    try:
        name = decode_name(raw_name, flags, extra, limits)
    except BadExtraField:
        return raw_name
    return identity(name).encode()


def _wide(index: int, extra: bytes, stated: tuple[int, int, int, int]) -> Zip64Fields | None:
    try:
        fields = zip64_fields(extra, *stated)
    except BadExtraField:
        return None  # the entry is refused when it is judged
    if fields.disk:
        raise ArchiveRejected(
            ParkReason.MULTI_DISK_ARCHIVE, f"entry {index} begins on disk {fields.disk} of a split archive"
        )
    return fields


def _check_count(counted: int, ending: Ending) -> None:
    """An end record counts to 65,535; writers without ZIP64 stop there or begin again at 0."""
    narrow = not ending.zip64 and counted > FULL16 and ending.entries in (counted & FULL16, FULL16)
    if counted != ending.entries and not narrow:
        raise invalid(f"the directory holds {counted} entries, its end record says {ending.entries}")


def _stopped(raw: Content, position: int, index: int, ending: Ending) -> ArchiveRejected:
    if raw[position : position + 4] == ENCRYPTED_DIRECTORY_SIGNATURE:
        return ArchiveRejected(ParkReason.ENCRYPTED_ARCHIVE, "its directory is encrypted")
    if position + CENTRAL.size > len(raw):
        return invalid(f"the directory ends inside entry {index} of {ending.entries}")
    return invalid(f"entry {index} of the directory does not begin with a central header")


def _too_many(index: int, limits: Limits) -> ArchiveRejected:
    if index > limits.max_entries:
        text = f"over the limit of {limits.max_entries} entries"
        return ArchiveRejected(ParkReason.ARCHIVE_LIMIT_EXCEEDED, text)
    return invalid(f"the directory holds more entries than the {index} that its end record says")
