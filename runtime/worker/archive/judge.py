"""Every entry judged by its directory record alone, before a byte of it is fetched.

The first rule that applies decides: what is wrong with the entry alone (name, kind, encryption, method, size
and ratio, in this order), then bytes shared with another entry, then a name shared with another. What passes
may be fetched, and `EntryReader` holds it to what the directory said of it.
"""

import stat
from typing import NamedTuple

from runtime.shared.contracts import EntryOutcome
from runtime.worker.archive import methods
from runtime.worker.archive.directory import Directory
from runtime.worker.archive.entry import Entry
from runtime.worker.archive.limits import Limits
from runtime.worker.archive.names import identity, unsafe
from runtime.worker.archive.records import (
    FLAG_ENCRYPTED,
    FLAG_MASKED_HEADERS,
    FLAG_PATCHED,
    FLAG_STRONG_ENCRYPTION,
    LOCAL,
    aes,
)

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
# The shortest data descriptor, 4.3.9: an entry that has one cannot take less room.
_LEAST_DESCRIPTOR = 12


class Verdict(NamedTuple):
    """Why an entry is not fetched. Folders get NOT_A_FILE too: tell them by `Entry.is_directory`."""

    outcome: EntryOutcome
    detail: str


FOLDER = Verdict(EntryOutcome.NOT_A_FILE, "a folder")


def judge(directory: Directory, limits: Limits) -> list[Verdict | None]:
    """One verdict per entry, in the directory's order; None: fetch it."""
    verdicts: list[Verdict | None] = []
    owners: dict[str, int] = {}
    twice: list[tuple[int, int]] = []
    for entry in directory:
        verdict = _judge_alone(entry, directory, limits)
        verdicts.append(verdict)
        if verdict is not FOLDER:
            first = owners.setdefault(identity(entry.name), entry.index)
            if first != entry.index:
                twice.append((first, entry.index))
    for index, by in _overlaps(directory):
        _add(verdicts, index, Verdict(EntryOutcome.OVERLAP, by))
    for first, second in twice:
        _judge_twins(verdicts, directory[first], directory[second])
    return verdicts


def _judge_alone(entry: Entry, directory: Directory, limits: Limits) -> Verdict | None:
    if fault := unsafe(entry.name, limits):
        return Verdict(*fault)
    if entry.name[-1] == "/":
        return FOLDER
    if entry.external_attrs >> 28 and (kind := _KINDS.get(stat.S_IFMT(entry.external_attrs >> 16))):
        # Whatever system the entry claims to come from: extractors differ on whether they look at that.
        return Verdict(EntryOutcome.NOT_A_FILE, kind)
    if entry.flags & _NOT_PLAIN or entry.method not in methods.READ:
        return _unreadable(entry, directory)
    if entry.method == methods.STORED and entry.size != entry.compressed_size:
        return Verdict(
            EntryOutcome.CORRUPT_DATA, f"stored, yet {entry.compressed_size} bytes for a file of {entry.size}"
        )
    if excess := limits.excess(entry.size, entry.compressed_size):
        return Verdict(EntryOutcome.LIMIT_EXCEEDED, excess)
    return None


def _unreadable(entry: Entry, directory: Directory) -> Verdict:
    if entry.method == methods.AES:
        field = aes(directory.extra_fields(entry))
        how = f"AES-{field.key_bits} (AE-{field.vendor_version})" if field else "AES"
        return Verdict(EntryOutcome.ENCRYPTED, f"encrypted with {how}")
    if entry.flags & (FLAG_STRONG_ENCRYPTION | FLAG_MASKED_HEADERS):
        return Verdict(EntryOutcome.ENCRYPTED, "encrypted with PKWARE's strong encryption")
    if entry.flags & FLAG_ENCRYPTED:
        return Verdict(EntryOutcome.ENCRYPTED, "encrypted with the traditional ZIP cipher")
    if entry.flags & FLAG_PATCHED:
        return Verdict(EntryOutcome.UNSUPPORTED_METHOD, "compressed patch data (flag bit 5) cannot be read")
    return Verdict(EntryOutcome.UNSUPPORTED_METHOD, f"{methods.method_name(entry.method)} cannot be read")


def _overlaps(directory: Directory) -> list[tuple[int, str]]:
    """The entries whose bytes cannot all be theirs: bombs quote the same data many times over.

    Each entry takes at least its local header, name, data and shortest descriptor. Swept by offset, an entry
    that begins before the furthest end so far overlaps the entry which that end belongs to.
    """
    by_offset = sorted((entry.local_offset, entry.index, _least_end(entry)) for entry in directory)
    found: list[tuple[int, str]] = []
    furthest, owner = 0, -1
    for start, index, end in by_offset:
        if end > directory.offset:
            found.append((index, f"bytes {start} to {end} run into the directory at {directory.offset}"))
        if start < furthest:
            found.append((index, f"bytes {start} to {end} overlap entry {owner}"))
            found.append((owner, f"bytes up to {furthest} overlap entry {index}"))
        if end > furthest:
            furthest, owner = end, index
    return found


def _least_end(entry: Entry) -> int:
    size = LOCAL.size + len(entry.raw_name) + entry.compressed_size
    return entry.local_offset + size + (_LEAST_DESCRIPTOR if entry.has_descriptor else 0)


def _judge_twins(verdicts: list[Verdict | None], first: Entry, second: Entry) -> None:
    if first.raw_name == second.raw_name:
        outcome, text = EntryOutcome.DUPLICATE_NAME, "the name is given again by entry"
    else:
        outcome, text = EntryOutcome.NAME_COLLISION, "the name cannot be told from that of entry"
    _add(verdicts, first.index, Verdict(outcome, f"{text} {second.index}"))
    _add(verdicts, second.index, Verdict(outcome, f"{text} {first.index}"))


def _add(verdicts: list[Verdict | None], index: int, verdict: Verdict) -> None:
    """The first fault found stands."""
    if verdicts[index] is None:
        verdicts[index] = verdict
