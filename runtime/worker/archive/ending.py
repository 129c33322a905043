"""Where the central directory is: the end record, found from the archive's last bytes.

Promises: an archive has exactly one reading. The end record's comment reaches the last byte of the file, the
directory stands right before the end records, and where two places satisfy that, the archive is refused
instead of one being preferred, because other tools would prefer the other.
"""

from typing import NamedTuple

from runtime.shared.contracts import ParkReason
from runtime.worker.archive.errors import ArchiveRejected, invalid
from runtime.worker.archive.limits import ByteSource
from runtime.worker.archive.records import (
    CENTRAL_SIGNATURE,
    DESCRIPTOR_SIGNATURE,
    END,
    END64,
    END_SIGNATURE,
    FULL16,
    FULL32,
    LOCAL_SIGNATURE,
    LOCATOR64,
    EndRecord,
    Locator64,
    parse_end,
    parse_end64,
    parse_locator64,
)

TAIL_BYTES = END.size + 0xFFFF

# Each candidate may cost a read of the source; an honest comment holds none.
_MAX_CANDIDATES = 4


class Ending(NamedTuple):
    """What the end records say, checked against where they stand."""

    entries: int
    directory_offset: int
    directory_size: int
    zip64: bool


class TailReader:
    """Reads of the archive, served from the bytes of its tail where they cover the request."""

    def __init__(self, source: ByteSource, tail: bytes | None) -> None:
        self.size = source.size
        self._source = source
        if tail is None:
            wanted = min(self.size, TAIL_BYTES)
            tail = source.read_at(self.size - wanted, wanted)
        self._tail = tail
        self._tail_start = self.size - len(tail)

    def read(self, offset: int, length: int) -> bytes:
        if offset < self._tail_start:
            return self._source.read_at(offset, length)
        return self._tail[offset - self._tail_start : offset - self._tail_start + length]


def find_ending(tail_reader: TailReader) -> Ending:
    """Raises ArchiveRejected, telling apart what is no ZIP, what is cut off and what contradicts itself."""
    start = max(0, tail_reader.size - TAIL_BYTES)
    tail = tail_reader.read(start, tail_reader.size - start)
    fitting: list[int] = []
    loose: list[int] = []
    at = tail.find(END_SIGNATURE)
    while at >= 0 and at + END.size <= len(tail):
        ends = at + END.size + parse_end(tail, at).comment_length
        (fitting if ends == len(tail) else loose).append(at)
        at = tail.find(END_SIGNATURE, at + 1)
    if not fitting:
        raise _without_end(tail_reader, tail, start, loose)
    if len(fitting) > _MAX_CANDIDATES:
        raise invalid(f"{len(fitting)} end records each reach the last byte: no telling which one counts")
    endings: list[Ending] = []
    faults: list[ArchiveRejected] = []
    for at in fitting:
        try:
            endings.append(_ending_at(tail_reader, start + at, parse_end(tail, at)))
        except ArchiveRejected as fault:
            faults.append(fault)
    if len(endings) > 1:
        raise invalid(f"{len(endings)} end records each fit a directory: no telling which one counts")
    if not endings:
        raise faults[0]
    return endings[0]


def _without_end(tail_reader: TailReader, tail: bytes, start: int, loose: list[int]) -> ArchiveRejected:
    for at in loose:
        end = parse_end(tail, at)
        # An end record inside a stored inner archive does not fit the place where it stands.
        if end.directory_offset + end.directory_size != start + at and end.directory_offset != FULL32:
            continue
        missing = at + END.size + end.comment_length - len(tail)
        if missing > 0:
            return ArchiveRejected(
                ParkReason.TRUNCATED_ARCHIVE, f"the archive's comment lacks its last {missing} bytes"
            )
        return invalid(f"{-missing} bytes follow the end of the archive")
    head = tail_reader.read(0, min(4, tail_reader.size))
    if head == DESCRIPTOR_SIGNATURE:  # 8.5.3: a split archive's first segment begins with this marker
        return ArchiveRejected(ParkReason.MULTI_DISK_ARCHIVE, "this is one segment of a split archive")
    if head and (LOCAL_SIGNATURE.startswith(head) or CENTRAL_SIGNATURE.startswith(head)):
        return ArchiveRejected(
            ParkReason.TRUNCATED_ARCHIVE,
            f"it begins as a ZIP, but its {tail_reader.size} bytes do not close with an end record",
        )
    return ArchiveRejected(
        ParkReason.NOT_A_ZIP, f"no ZIP record at the start or the end of its {tail_reader.size} bytes"
    )


def _ending_at(tail_reader: TailReader, position: int, end: EndRecord) -> Ending:
    locator = None
    if position >= LOCATOR64.size:
        locator = parse_locator64(tail_reader.read(position - LOCATOR64.size, LOCATOR64.size), 0)
    if locator is not None:
        return _ending64(tail_reader, position - LOCATOR64.size, locator, end)
    if end.disk or end.directory_disk or end.entries_here != end.entries:
        raise _multi_disk(end.disk, end.directory_disk)
    return _checked(tail_reader, position, end.entries, end.directory_offset, end.directory_size, zip64=False)


def _ending64(tail_reader: TailReader, locator_at: int, locator: Locator64, end: EndRecord) -> Ending:
    if locator.disk or locator.disks > 1:
        raise _multi_disk(locator.disks - 1, locator.disk)
    if locator.offset + END64.size > locator_at:
        raise invalid("the ZIP64 locator points past itself")
    record = parse_end64(tail_reader.read(locator.offset, END64.size))
    if record is None or locator.offset + record.record_size != locator_at:
        raise invalid("the ZIP64 locator does not lead to an end record that ends where the locator begins")
    if record.disk or record.directory_disk or record.entries_here != record.entries:
        raise _multi_disk(record.disk, record.directory_disk)
    for name, small, full, value in (
        ("disk", end.disk, FULL16, 0),
        ("directory disk", end.directory_disk, FULL16, 0),
        ("entries on this disk", end.entries_here, FULL16, record.entries),
        ("entries", end.entries, FULL16, record.entries),
        ("directory size", end.directory_size, FULL32, record.directory_size),
        ("directory offset", end.directory_offset, FULL32, record.directory_offset),
    ):
        if small not in (full, value):
            raise invalid(f"the two end records disagree on {name}: {small} and, in the ZIP64 one, {value}")
    return _checked(
        tail_reader,
        locator.offset,
        record.entries,
        record.directory_offset,
        record.directory_size,
        zip64=True,
    )


def _checked(
    tail_reader: TailReader, position: int, entries: int, offset: int, size: int, *, zip64: bool
) -> Ending:
    """The directory must end where the end records begin (`position`)."""
    gap = position - (offset + size)
    if gap < 0:
        raise invalid(f"the directory should end at byte {offset + size}, {-gap} bytes past the end record")
    if gap and tail_reader.read(position - size, min(4, size)) == CENTRAL_SIGNATURE[: min(4, size)]:
        raise invalid(f"{gap} bytes stand before the archive (a self-extractor?) and its offsets ignore them")
    if gap:
        raise invalid(f"{gap} bytes stand between the directory and the end record")
    return Ending(entries, offset, size, zip64)


def _multi_disk(disk: int, directory_disk: int) -> ArchiveRejected:
    return ArchiveRejected(
        ParkReason.MULTI_DISK_ARCHIVE,
        f"the archive is split: this is disk {disk}, its directory begins on disk {directory_disk}",
    )
