"""Says what would become of an archive and each of its entries, without a service around it.

    python -m runtime.worker.archive FILE.zip

A line for each entry (its outcome, its size, its name, why), then what is unusual about the archive. Every
entry is read to its end. Ends with 0 if all files can be read, 1 if some cannot, 2 if the archive is refused.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from runtime.shared.sizes import MIB
from runtime.worker.archive import (
    PASSED_OVER,
    ArchiveRejected,
    Directory,
    Entry,
    EntryReader,
    EntryRejected,
    Limits,
    judge,
    read_directory,
)

_READ = "read"
_PASSED_OVER = "passed-over"
_PIECE_BYTES = MIB


class _File:
    """A file as the source of its archive."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    def read_at(self, offset: int, length: int) -> bytes:
        return os.pread(self._descriptor, length, offset)


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m runtime.worker.archive FILE.zip\n")
        return 2
    limits = Limits()
    with Path(arguments[0]).open("rb") as file:
        source = _File(file.fileno())
        try:
            directory = read_directory(source, limits)
        except ArchiveRejected as rejected:
            sys.stdout.write(f"refused: {rejected.reason}: {rejected.text}\n")
            return 2
        whole = True
        for entry, outcome, why in _outcomes(source, directory, limits):
            whole = whole and outcome in (_READ, _PASSED_OVER)
            sys.stdout.write(
                f"{outcome:20} {entry.size:>12} {_shown(entry.name)}{f'  ({why})' if why else ''}\n"
            )
    for note in directory.notes:
        sys.stdout.write(f"note: {note}\n")
    sys.stdout.write(f"{len(directory)} entries\n")
    return 0 if whole else 1


def _outcomes(source: _File, directory: Directory, limits: Limits) -> Iterator[tuple[Entry, str, str]]:
    judgement = judge(directory, limits)
    for entry in directory:
        refusal = judgement.refusal(entry)
        if refusal in PASSED_OVER:
            yield entry, _PASSED_OVER, refusal.detail
        elif refusal is not None:
            yield entry, refusal.outcome, refusal.detail
        else:
            try:
                _read(source, directory, entry, limits)
            except EntryRejected as rejected:
                yield entry, rejected.outcome, rejected.text
            else:
                yield entry, _READ, judgement.note(entry) or ""


def _read(source: _File, directory: Directory, entry: Entry, limits: Limits) -> None:
    """Raises EntryRejected."""
    start, stop = directory.span(entry)
    reader = EntryReader(entry, limits)
    for at in range(start, stop, _PIECE_BYTES):
        for _ in reader.feed(source.read_at(at, min(_PIECE_BYTES, stop - at))):
            pass  # the reader itself counts and sums what comes out
        if reader.finished:
            break
    reader.close()


def _shown(name: str) -> str:
    """Fit for a terminal."""
    return name if name.isprintable() else ascii(name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
