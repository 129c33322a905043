"""What the reader makes of an archive, from its bytes to every entry's outcome, by both ways of reading."""

from collections.abc import Iterator
from dataclasses import dataclass

from runtime.shared.contracts import ParkReason
from runtime.worker.archive import (
    ArchiveRejected,
    Directory,
    Entry,
    EntryReader,
    EntryRejected,
    Limits,
    judge,
    read_directory,
    read_entry,
)
from runtime.worker.archive.judge import FOLDER as FOLDER_REFUSAL
from runtime.worker.archive.judge import REPEATED as REPEATED_REFUSAL
from tests.archives.cases.case import FOLDER, READ, REPEATED


class Memory:
    """A byte source that counts its reads and refuses what is outside."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.size = len(content)
        self.reads: list[tuple[int, int]] = []

    def read_at(self, offset: int, length: int) -> bytes:
        assert 0 <= offset <= offset + length <= self.size, "a read outside the archive"
        self.reads.append((offset, length))
        return self.content[offset : offset + length]


@dataclass
class Finding:
    """One entry, its outcome ("read", "folder" or an EntryOutcome), the reason, and the bytes if read."""

    entry: Entry
    outcome: str
    detail: str = ""
    data: bytes = b""
    note: str = ""


def examine(content: bytes, limits: Limits | None = None, piece: int = 37) -> list[Finding] | ParkReason:
    """Read the whole archive; EntryReader is fed pieces of `piece` bytes. Both ways must agree."""
    limits = limits or Limits()
    try:
        directory = read_directory(Memory(content), limits)
    except ArchiveRejected as rejected:
        return rejected.reason
    return list(_findings(content, directory, limits, piece))


def notes(content: bytes, limits: Limits) -> str:
    """What the manifest would say is unusual about the archive."""
    return "; ".join(read_directory(Memory(content), limits).notes)


def _findings(content: bytes, directory: Directory, limits: Limits, piece: int) -> Iterator[Finding]:
    judgement = judge(directory, limits)
    for entry in directory:
        refusal = judgement.refusal(entry)
        if refusal is None:
            start, end = directory.span(entry)
            span = memoryview(content)[start:end]
            streamed = _attempt(entry, lambda entry=entry, span=span: stream(entry, span, limits, piece))
            at_once = _attempt(entry, lambda entry=entry, span=span: bytes(read_entry(entry, span, limits)))
            assert (streamed.outcome, streamed.data) == (at_once.outcome, at_once.data)
            streamed.note = judgement.note(entry) or ""
            yield streamed
        else:
            assert refusal.detail
            passed_over = {FOLDER_REFUSAL: FOLDER, REPEATED_REFUSAL: REPEATED}
            yield Finding(entry, passed_over.get(refusal, refusal.outcome), refusal.detail)


def _attempt(entry: Entry, read: object) -> Finding:
    assert callable(read)
    try:
        return Finding(entry, READ, data=read())
    except EntryRejected as rejected:
        return Finding(entry, rejected.outcome, rejected.text)


def stream(entry: Entry, span: memoryview, limits: Limits, piece: int) -> bytes:
    reader = EntryReader(entry, limits)
    out = bytearray()
    for at in range(0, len(span), piece):
        for chunk in reader.feed(span[at : at + piece]):
            out += chunk
            assert len(out) <= entry.size, "more bytes than announced came out"
    reader.close()
    assert reader.crc32 == entry.crc32
    assert reader.produced == len(out)
    return bytes(out)
