"""Every entry judged by its directory record alone, before a byte of it is fetched.

The first rule that applies decides: what is wrong with the entry alone (name, extra fields, kind, encryption,
method, size and ratio, in this order), then bytes shared with another entry, then a name shared with another.
What passes may be fetched, and `EntryReader` holds it to what the directory said of it.
"""

import stat
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from runtime.shared.contracts import EntryOutcome
from runtime.worker.archive import methods
from runtime.worker.archive.directory import Directory
from runtime.worker.archive.entry import Entry, recorded_name
from runtime.worker.archive.limits import Limits
from runtime.worker.archive.names import identity, unsafe
from runtime.worker.archive.records import (
    FLAG_ENCRYPTED,
    FLAG_MASKED_HEADERS,
    FLAG_PATCHED,
    FLAG_STRONG_ENCRYPTION,
    aes,
)
from runtime.worker.archive.sorting import repeated
from runtime.worker.archive.workspace import column

_ANY_ENCRYPTION = FLAG_ENCRYPTED | FLAG_STRONG_ENCRYPTION | FLAG_MASKED_HEADERS
_NOT_PLAIN = _ANY_ENCRYPTION | FLAG_PATCHED
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a folder by its attributes but not by its name",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
}
_PIPE = "-"  # how archivers call what was piped into them


class EntryRefusal(NamedTuple):
    """Why an entry is not fetched. A folder's is `FOLDER`, a repetition's `REPEATED`: nothing is wrong."""

    outcome: EntryOutcome
    detail: str


FOLDER = EntryRefusal(EntryOutcome.NOT_A_FILE, "a folder")
REPEATED = EntryRefusal(EntryOutcome.DUPLICATE_NAME, "the same name, size and CRC-32 as an entry before")
PASSED_OVER = frozenset({FOLDER, REPEATED})


class _Mark(IntEnum):
    """The finding of an entry's comparison with the others; its partner is the other's index."""

    NONE = 0
    REPEATED = 1
    GIVEN_AGAIN = 2  # the entry that is read, of several that are the same
    OVERLAPS = 3
    LEAVES = 4  # reaches into the directory
    SAME_NAME = 5
    COLLIDES = 6


class EntryJudgement:
    """The judgement of each entry; `refusal` is asked entry by entry."""

    def __init__(self, directory: Directory, limits: Limits) -> None:
        self._directory = directory
        self._limits = limits
        self._marks = column(directory.workspace, "B", len(directory))
        self._partners = column(directory.workspace, "Q", 0)
        self._compare_names()
        if not directory.rows.apart:
            self._find_overlaps()
        directory.workspace.let_go()

    def refusal(self, entry: Entry) -> EntryRefusal | None:
        """None: fetch it."""
        if alone := _judge_alone(entry, self._directory, self._limits):
            return alone
        mark = self._marks[entry.index]
        return self._compared(entry, _Mark(mark)) if mark else None

    def note(self, entry: Entry) -> str | None:
        """A note on an entry that is unusual and read all the same."""
        mark, mode = self._marks[entry.index], entry.external_attrs >> 16
        if not mark and entry.raw_name == entry.name.encode() and not stat.S_ISFIFO(mode):
            return None
        notes = []
        if mark == _Mark.GIVEN_AGAIN:
            notes.append("the entry is given more than once, with one size and CRC-32")
        if stat.S_ISFIFO(mode):
            notes.append("made from a pipe")
        if entry.raw_name != entry.name.encode():
            recorded = recorded_name(entry.raw_name, entry.flags, b"", self._limits.code_page)
            if recorded != entry.name and "\ufffd" not in recorded:
                notes.append(f"named {recorded!r} in the archive")
        return "; ".join(notes) or None

    def _compared(self, entry: Entry, mark: _Mark) -> EntryRefusal | None:
        if mark is _Mark.REPEATED:
            return REPEATED
        if mark is _Mark.GIVEN_AGAIN:
            return None
        end, other = self._directory.rows.ends[entry.index], self._partners[entry.index]
        match mark:
            case _Mark.OVERLAPS:
                text = f"bytes {entry.local_offset} to {end} overlap entry {other}"
                return EntryRefusal(EntryOutcome.OVERLAP, text)
            case _Mark.LEAVES:
                limit = self._directory.offset
                text = f"bytes {entry.local_offset} to {end} run into the directory at {limit}"
                return EntryRefusal(EntryOutcome.OVERLAP, text)
            case _Mark.SAME_NAME:
                text = f"the name is given again by entry {other}"
                return EntryRefusal(EntryOutcome.DUPLICATE_NAME, text)
        text = f"the name cannot be told from that of entry {other}"
        return EntryRefusal(EntryOutcome.NAME_COLLISION, text)

    def _mark(self, index: int, mark: _Mark, partner: int) -> None:
        if not len(self._partners):
            self._partners = column(self._directory.workspace, "Q", len(self._directory))
        self._marks[index], self._partners[index] = mark, partner

    def _compare_names(self) -> None:
        rows = self._directory.rows
        for places in repeated(rows.names[: rows.count]):
            for indices in places.values():
                self._settle_group(indices)
            self._directory.workspace.let_go()

    def _settle_group(self, indices: Sequence[int]) -> None:
        """Entries whose names have one hash: nearly always one name. Folders may be named again."""
        groups: dict[str, list[int]] = {}
        for index in indices:
            name = self._directory[index].name
            if not name.endswith("/"):
                groups.setdefault(identity(name), []).append(index)
        for first, *others in groups.values():
            if others:
                self._settle_name(first, others)

    def _settle_name(self, first: int, others: Sequence[int]) -> None:
        """Several entries of one name: the first is read if all are the same, else none."""
        entry = self._directory[first]
        if all(self._is_repetition(entry, self._directory[other]) for other in others):
            self._mark(first, _Mark.GIVEN_AGAIN, others[0])
            for other in others:
                self._mark(other, _Mark.REPEATED, first)
            return
        for other in others:
            same = entry.raw_name == self._directory[other].raw_name
            mark = _Mark.SAME_NAME if same else _Mark.COLLIDES
            self._mark(first, mark, other)
            self._mark(other, mark, first)

    def _is_repetition(self, entry: Entry, other: Entry) -> bool:
        alike = (entry.name, entry.size, entry.crc32) == (other.name, other.size, other.crc32)
        return alike and not any(_judge_alone(one, self._directory, self._limits) for one in (entry, other))

    def _find_overlaps(self) -> None:
        """The entries whose bytes cannot all be theirs: bombs quote the same data many times over.

        Swept by place, an entry that begins before the furthest end so far overlaps the entry which that end
        belongs to. Ends are the least possible ones; nothing may reach into the directory.
        """
        rows, limit = self._directory.rows, self._directory.offset
        furthest, owner = 0, -1
        for index in self._directory.by_place():
            start, end = rows.starts[index], rows.ends[index]
            if start == end == limit or self._marks[index] == _Mark.REPEATED:
                continue  # its place is not known, or it is not read
            if end > limit:
                self._mark(index, _Mark.LEAVES, index)
            if start < furthest:
                self._mark(index, _Mark.OVERLAPS, owner)
                self._mark(owner, _Mark.OVERLAPS, index)
            if end > furthest:
                furthest, owner = end, index


def judge(directory: Directory, limits: Limits) -> EntryJudgement:
    """Compare the entries with one another; each is then judged when it is asked for."""
    return EntryJudgement(directory, limits)


def _judge_alone(entry: Entry, directory: Directory, limits: Limits) -> EntryRefusal | None:
    if entry.name == "/":
        return FOLDER
    if unfit := unsafe(entry.name, limits):
        return EntryRefusal(*unfit)
    if entry.fault is not None:
        return EntryRefusal(EntryOutcome.HEADER_MISMATCH, entry.fault)
    if entry.name[-1] == "/":
        if entry.size:
            return EntryRefusal(EntryOutcome.NOT_A_FILE, f"a folder by its name, yet with {entry.size} bytes")
        return FOLDER
    if entry.external_attrs >> 28 and (kind := _kind(entry)):
        return EntryRefusal(EntryOutcome.NOT_A_FILE, kind)
    if entry.flags & _NOT_PLAIN or entry.method not in methods.READ:
        return _unreadable(entry, directory)
    if entry.method == methods.STORED and entry.size != entry.compressed_size:
        return EntryRefusal(
            EntryOutcome.CORRUPT_DATA, f"stored, yet {entry.compressed_size} bytes for a file of {entry.size}"
        )
    if excess := limits.excess(entry.size, entry.compressed_size):
        return EntryRefusal(EntryOutcome.LIMIT_EXCEEDED, excess)
    return None


def _kind(entry: Entry) -> str | None:
    """The kind of an entry that is no file, whatever system it claims to come from.

    Extractors differ on whether they look at that.
    """
    mode = entry.external_attrs >> 16
    # What was piped into an archiver, or read from a pipe by name, carries the pipe's mode and is a file.
    if stat.S_ISFIFO(mode) and (entry.size or entry.name == _PIPE):
        return None
    return _KINDS.get(stat.S_IFMT(mode))


def _unreadable(entry: Entry, directory: Directory) -> EntryRefusal:
    if entry.method == methods.AES:
        field = aes(directory.extra_fields(entry))
        how = f"AES-{field.key_bits} (AE-{field.vendor_version})" if field else "AES"
        return EntryRefusal(EntryOutcome.ENCRYPTED, f"encrypted with {how}")
    if entry.flags & (FLAG_STRONG_ENCRYPTION | FLAG_MASKED_HEADERS):
        return EntryRefusal(EntryOutcome.ENCRYPTED, "encrypted with PKWARE's strong encryption")
    if entry.flags & FLAG_ENCRYPTED:
        return EntryRefusal(EntryOutcome.ENCRYPTED, "encrypted with the traditional ZIP cipher")
    patched = entry.flags & FLAG_PATCHED
    what = "compressed patch data (flag bit 5)" if patched else methods.method_name(entry.method)
    return EntryRefusal(EntryOutcome.UNSUPPORTED_METHOD, f"{what} cannot be read")
