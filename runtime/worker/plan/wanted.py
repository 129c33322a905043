"""The entries to fetch, in the order in which they lie in the archive, each made when it is asked for."""

from collections.abc import Iterator
from dataclasses import dataclass

from runtime.worker.archive import Entry
from runtime.worker.archive.workspace import column
from runtime.worker.plan.metadata import Expected
from runtime.worker.plan.results import OpenResult, Results

_LET_GO_EVERY = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An entry to fetch: bytes [start, stop) of the archive hold its local header and payload."""

    entry: Entry
    expected: Expected
    key: str
    start: int
    stop: int
    result: OpenResult


class WantedEntries:
    """All of a plan's; takes no memory to speak of, whatever their number."""

    def __init__(self, results: Results) -> None:
        directory = results.directory
        self._results = results
        self._directory = directory
        most = results.last - results.first
        self._indices = column(directory.workspace, "Q", most)
        self._stops = column(directory.workspace, "Q", most)
        self._count = 0
        self.total_bytes = 0
        for index, start, stop in directory.spans():
            if results.first <= index < results.last and results.is_open(index):
                self._indices[self._count], self._stops[self._count] = index, stop
                self._count += 1
                self.total_bytes += stop - start
        directory.workspace.let_go()

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Wanted]:
        return self.slice(0, self._count)

    def bounds(self) -> Iterator[tuple[int, int]]:
        """Start and stop of each."""
        starts = self._directory.rows.starts
        for place in range(self._count):
            yield starts[self._indices[place]], self._stops[place]

    def slice(self, first: int, last: int) -> Iterator[Wanted]:
        """The entries [first, last)."""
        for place in range(first, last):
            entry = self._directory[self._indices[place]]
            expected = self._results.expected(entry)
            key = self._results.key(entry, expected)
            result = OpenResult(self._results, entry)
            yield Wanted(
                entry=entry,
                expected=expected,
                key=key,
                start=entry.local_offset,
                stop=self._stops[place],
                result=result,
            )
            if place % _LET_GO_EVERY == 0:
                self._directory.workspace.let_go()

    @property
    def largest(self) -> int:
        """Bytes of the largest file."""
        return max((wanted.entry.size for wanted in self), default=0)
