"""Reading ZIP archives that nobody vouches for: no network, no storage, only bytes in and verified bytes out.

    directory = read_directory(source, limits)      # or ArchiveRejected
    refusal = judge(directory, limits).refusal(entry)   # None: it may be fetched
    start, end = directory.span(entry)              # what to fetch for one entry
    data = read_entry(entry, span, limits)          # a small entry at once, or EntryRejected
    reader = EntryReader(entry, limits)             # any entry, as its bytes arrive
    for chunk in reader.feed(piece): ...
    reader.close()

The central directory is what counts; each local header has to agree with it, and what it does not name does
not exist. Every rule has a small file of its own in tests/archives, with its outcome in the README there.
"""

from runtime.worker.archive.directory import Directory, read_directory
from runtime.worker.archive.entry import Entry
from runtime.worker.archive.errors import ArchiveRejected, EntryRejected
from runtime.worker.archive.judge import PASSED_OVER, EntryJudgement, EntryRefusal, judge
from runtime.worker.archive.limits import Buffer, ByteSource, Limits
from runtime.worker.archive.read_entry import read_entry
from runtime.worker.archive.reader import EntryReader, ReaderState
from runtime.worker.archive.workspace import HeapWorkspace, Workspace

__all__ = [
    "PASSED_OVER",
    "ArchiveRejected",
    "Buffer",
    "ByteSource",
    "Directory",
    "Entry",
    "EntryJudgement",
    "EntryReader",
    "EntryRefusal",
    "EntryRejected",
    "HeapWorkspace",
    "Limits",
    "ReaderState",
    "Workspace",
    "judge",
    "read_directory",
    "read_entry",
]
