"""Every entry judged by its directory record alone, before a byte of it is fetched.

The first rule that applies decides: what is wrong with the entry alone (name, kind, encryption, method, size
and ratio, in this order), then bytes shared with another entry, then a name shared with another. What passes
may be fetched, and `EntryReader` holds it to what the directory said of it.
"""

import stat
from array import array
from collections.abc import Iterable, Iterator
from operator import gt
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
_LARGEST = (1 << 64) - 1


class Verdict(NamedTuple):
    """Why an entry is not fetched. A folder's is `FOLDER`: nothing is wrong with it."""

    outcome: EntryOutcome
    detail: str


FOLDER = Verdict(EntryOutcome.NOT_A_FILE, "a folder")


def judge(directory: Directory, limits: Limits) -> list[Verdict | None]:
    """One verdict per entry, in the directory's order; None: fetch it."""
    verdicts: list[Verdict | None] = []
    owners: dict[str, int] = {}
    colliding: list[tuple[int, int]] = []
    starts, ends = array("Q"), array("Q")
    for entry in directory:
        verdict = _judge_alone(entry, directory, limits)
        verdicts.append(verdict)
        starts.append(entry.local_offset)
        ends.append(_least_end(entry))
        if verdict is not FOLDER:
            first = owners.setdefault(identity(entry.name), entry.index)
            if first != entry.index:
                colliding.append((first, entry.index))
    for index, detail in _overlaps(starts, ends, directory.offset):
        _add(verdicts, index, Verdict(EntryOutcome.OVERLAP, detail))
    for one, other in colliding:
        _judge_collision(verdicts, directory[one], directory[other])
    return verdicts


def _judge_alone(entry: Entry, directory: Directory, limits: Limits) -> Verdict | None:
    if fault := unsafe(entry.name, limits):
        return Verdict(*fault)
    if entry.name[-1] == "/":
        if entry.size:
            return Verdict(EntryOutcome.NOT_A_FILE, f"a folder by its name, yet with {entry.size} bytes")
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


def _overlaps(starts: "array[int]", ends: "array[int]", limit: int) -> Iterator[tuple[int, str]]:
    """The entries whose bytes cannot all be theirs: bombs quote the same data many times over.

    Swept by offset, an entry that begins before the furthest end so far overlaps the entry which that end
    belongs to. `ends` are the least possible ones; nothing may reach into the directory at `limit`.
    """
    order: Iterable[int] = range(len(starts))
    if any(map(gt, starts, starts[1:])):
        order = sorted(order, key=starts.__getitem__)
    furthest, owner = 0, -1
    for index in order:
        start, end = starts[index], ends[index]
        if end > limit:
            yield index, f"bytes {start} to {end} run into the directory at {limit}"
        if start < furthest:
            yield index, f"bytes {start} to {end} overlap entry {owner}"
            yield owner, f"bytes up to {furthest} overlap entry {index}"
        if end > furthest:
            furthest, owner = end, index


def _least_end(entry: Entry) -> int:
    """An entry takes at least its local header, name and data."""
    end = entry.local_offset + LOCAL.size + len(entry.raw_name) + entry.compressed_size
    return min(end, _LARGEST)  # two announced 64-bit numbers may add up to more


def _judge_collision(verdicts: list[Verdict | None], first: Entry, second: Entry) -> None:
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
