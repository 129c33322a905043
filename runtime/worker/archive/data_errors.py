"""The errors of an entry's data, in the same words from the streaming and the one-call reader.

All of it is `corrupt-data`: the archive disagrees with its own directory.
"""

from runtime.shared.contracts import EntryOutcome
from runtime.worker.archive.entry import Entry
from runtime.worker.archive.errors import EntryRejected


def corrupt(text: str) -> EntryRejected:
    return EntryRejected(EntryOutcome.CORRUPT_DATA, text)


def trailing() -> EntryRejected:
    return corrupt("the compressed data ends before the bytes that the directory gives it")


def broken_off() -> EntryRejected:
    return corrupt("the compressed data breaks off")


def undecodable(error: Exception) -> EntryRejected:
    return corrupt(f"the data cannot be decompressed: {error}")


def wrong_size(entry: Entry, produced: int) -> EntryRejected:
    if produced > entry.size:
        return corrupt(f"it holds more than the {entry.size} bytes that the directory says")
    return corrupt(f"it holds {produced} bytes and not the {entry.size} that the directory says")


def wrong_crc(entry: Entry, crc: int) -> EntryRejected:
    return corrupt(f"its CRC-32 is {crc:08x}, the directory says {entry.crc32:08x}")
