"""Where the central directory is: the end record, found from the archive's last bytes.

Promises: an archive has exactly one reading. The last end record that leads to a directory counts, as in
every reader; what differs from the specification without leading anywhere else (bytes behind the end record
or before the archive, a wrong size, values modulo 4 GiB) is read and noted. Where a second place leads to a
directory too, the archive is refused instead of one being preferred, because other tools would prefer the
other.
"""

import contextlib
from dataclasses import dataclass, replace

from runtime.shared.contracts import ParkReason
from runtime.shared.sizes import MIB
from runtime.worker.archive.errors import ArchiveRejected, invalid
from runtime.worker.archive.limits import ByteSource
from runtime.worker.archive.placing import Placed, place
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
    VERSION_ENCRYPTED_DIRECTORY,
    End64Record,
    EndRecord,
    Locator64,
    parse_end,
    parse_end64,
    parse_locator64,
)
from runtime.worker.archive.tail import TAIL_BYTES, TailReader

# A candidate may cost a read of the source; an honest comment holds none.
_MAX_READS = 16
# How far before the last bytes an end record is looked for that padding or a page's text follows.
_FAR_BYTES = MIB


@dataclass(frozen=True, kw_only=True)
class Ending:
    """The end records' fields, checked against where the records stand."""

    position: int
    entries: int
    zip64: bool
    placed: Placed
    surplus: int
    """Bytes behind the end record and its comment."""
    earlier: tuple[int, ...] = ()
    """Where signatures of end records stand before this one."""
    astray: bool
    """The ZIP64 locator leads elsewhere than to the ZIP64 end record before it."""

    @property
    def notes(self) -> tuple[str, ...]:
        surplus = (f"{self.surplus} bytes follow the end of the archive",) if self.surplus else ()
        astray = ("the ZIP64 locator leads astray",) if self.astray and not self.placed.base else ()
        return (*self.placed.notes, *astray, *surplus)


def find_ending(source: ByteSource, tail: bytes | None = None) -> tuple[TailReader, Ending]:
    """Raises ArchiveRejected, telling apart what is no ZIP, what is cut off and what contradicts itself."""
    tail_reader = TailReader(source, tail)
    faults: list[ArchiveRejected] = []
    for reach in (TAIL_BYTES, _FAR_BYTES):
        start = max(0, tail_reader.size - reach)
        if reach > TAIL_BYTES:
            if start == max(0, tail_reader.size - TAIL_BYTES) or faults or not _begins_as_zip(tail_reader):
                break
            tail_reader = TailReader(source, tail_reader.read(start, tail_reader.size - start))
        candidates = _candidates(tail_reader.read(start, tail_reader.size - start), start)
        for at in reversed(candidates):
            try:
                ending = _ending_at(tail_reader, at)
            except ArchiveRejected as fault:
                if _has_directory(tail_reader, at):
                    raise  # other readers may take it: whatever stands before is not the only reading
                if _closes(tail_reader, at):
                    faults.append(fault)
                _check_patience(tail_reader)
                continue
            ending = replace(ending, earlier=tuple(other for other in candidates if other < at))
            _refuse_second_reading(tail_reader, ending)
            return tail_reader, ending
    raise _without_end(tail_reader, faults)


def _candidates(tail: bytes, start: int) -> list[int]:
    found = []
    at = tail.find(END_SIGNATURE)
    while at >= 0 and at + END.size <= len(tail):
        found.append(start + at)
        at = tail.find(END_SIGNATURE, at + 1)
    return found


def _refuse_second_reading(tail_reader: TailReader, ending: Ending) -> None:
    """Readers that want the comment to reach the last byte, or take the first of two archives, see others."""
    rivals = []
    for at in ending.earlier:
        behind = at + END.size + parse_end(tail_reader.read(at, END.size), 0).comment_length
        if behind > ending.position or behind <= ending.placed.base or at >= ending.placed.offset:
            rivals.append(at)
    for at in rivals:
        refuse_rival(tail_reader, ending, at)
    base = ending.placed.base
    if base and _begins_as_zip(tail_reader):
        raise ArchiveRejected(
            ParkReason.TRUNCATED_ARCHIVE,
            f"it begins as a ZIP, but what closes it is another one inside, which begins at byte {base}",
        )


def refuse_rival(tail_reader: TailReader, ending: Ending, at: int) -> None:
    """Raises ArchiveRejected if the end record at `at` has a directory too."""
    _check_patience(tail_reader)
    if _has_directory(tail_reader, at):
        raise invalid(
            f"the end records at bytes {at} and {ending.position} each have a directory: no telling "
            "which counts"
        )


def _without_end(tail_reader: TailReader, faults: list[ArchiveRejected]) -> ArchiveRejected:
    if faults:
        return faults[0]
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


def _has_directory(tail_reader: TailReader, at: int) -> bool:
    """Whether any reader could take this end record for the archive's, whatever its offsets count from."""
    end: EndRecord | End64Record = parse_end(tail_reader.read(at, END.size), 0)
    if not end.entries and not end.directory_size:
        return True
    behind = at
    locator_at = at - LOCATOR64.size
    locator = parse_locator64(tail_reader.read(locator_at, LOCATOR64.size), 0) if locator_at >= 0 else None
    if locator is not None:
        with contextlib.suppress(ArchiveRejected):
            behind, end = _wide_record(tail_reader, locator_at, locator)
    return any(
        tail_reader.read(place, 4) == CENTRAL_SIGNATURE
        for place in (behind - end.directory_size, end.directory_offset)
        if 0 <= place < behind
    )


def _check_patience(tail_reader: TailReader) -> None:
    if tail_reader.asked > _MAX_READS:
        raise invalid("end records that point all over the archive: no telling which one counts")


def _closes(tail_reader: TailReader, at: int) -> bool:
    """Whether an end record looks like the file's own, and not like some of its data."""
    end = parse_end(tail_reader.read(at, END.size), 0)
    fits = at + END.size + end.comment_length == tail_reader.size
    return fits or end.directory_offset + end.directory_size == at


def _begins_as_zip(tail_reader: TailReader) -> bool:
    return tail_reader.read(0, min(4, tail_reader.size)) == LOCAL_SIGNATURE


def _ending_at(tail_reader: TailReader, position: int) -> Ending:
    """The reading of the end record at `position`. Raises ArchiveRejected."""
    end = parse_end(tail_reader.read(position, END.size), 0)
    record = None
    at, astray = position, False
    if position >= LOCATOR64.size:
        locator = parse_locator64(tail_reader.read(position - LOCATOR64.size, LOCATOR64.size), 0)
        if locator is not None:
            at, record = _wide_record(tail_reader, position - LOCATOR64.size, locator)
            _check_agreement(end, record)
            astray = at != locator.offset
    stated = record or end
    if stated.disk or stated.directory_disk:
        raise _multi_disk(stated.disk, stated.directory_disk)
    if stated.entries_here != stated.entries:
        raise invalid(
            f"the end record counts {stated.entries} entries, {stated.entries_here} of them on the only disk"
        )
    placed = place(
        tail_reader,
        at,
        stated.directory_offset,
        stated.directory_size,
        empty=not stated.entries,
        narrow=record is None,
    )
    surplus = tail_reader.size - (position + END.size + end.comment_length)
    if surplus < 0:
        raise ArchiveRejected(
            ParkReason.TRUNCATED_ARCHIVE, f"the archive's comment lacks its last {-surplus} bytes"
        )
    return Ending(
        position=position,
        entries=stated.entries,
        zip64=record is not None,
        placed=placed,
        surplus=surplus,
        astray=astray,
    )


def _wide_record(tail_reader: TailReader, locator_at: int, locator: Locator64) -> tuple[int, End64Record]:
    """The ZIP64 end record and where it stands: where the locator says, or right before the locator."""
    if locator.disk or locator.disks > 1:
        raise _multi_disk(locator.disks - 1, locator.disk)
    for at in dict.fromkeys((locator.offset, locator_at - END64.size)):
        if not 0 <= at <= locator_at - END64.size:
            continue
        record = parse_end64(tail_reader.read(at, END64.size))
        if record is not None and at + record.record_size == locator_at:
            if record.version_needed >= VERSION_ENCRYPTED_DIRECTORY:
                raise ArchiveRejected(
                    ParkReason.ENCRYPTED_ARCHIVE, "its directory is encrypted (PKWARE strong encryption)"
                )
            return at, record
    raise invalid("the ZIP64 locator does not lead to an end record that ends where the locator begins")


def _check_agreement(end: EndRecord, record: End64Record) -> None:
    """4.4.1.4: what does not fit is all ones; some writers give it modulo its width instead."""
    for name, small, full, value in (
        ("disk", end.disk, FULL16, 0),
        ("directory disk", end.directory_disk, FULL16, 0),
        ("entries on this disk", end.entries_here, FULL16, record.entries),
        ("entries", end.entries, FULL16, record.entries),
        ("directory size", end.directory_size, FULL32, record.directory_size),
        ("directory offset", end.directory_offset, FULL32, record.directory_offset),
    ):
        if small not in (full, value & full):
            raise invalid(f"the two end records disagree on {name}: {small} and, in the ZIP64 one, {value}")


def _multi_disk(disk: int, directory_disk: int) -> ArchiveRejected:
    return ArchiveRejected(
        ParkReason.MULTI_DISK_ARCHIVE,
        f"the archive is split: this is disk {disk}, its directory begins on disk {directory_disk}",
    )
