"""An archive's keys in S3's order, sorted block by block and merged: memory holds one block at a time."""

import heapq
from collections.abc import Iterable, Iterator

from runtime.worker.archive import Workspace
from runtime.worker.archive.workspace import Content

_LET_GO_EVERY = 4_096


class SortedKeys:
    """Keys with a number each. They hold no NUL and no line feed: names and destinations are printable."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lines = workspace.spill()
        self._runs: list[tuple[int, int]] = []

    def add(self, keys: Iterable[tuple[str, int]]) -> None:
        """Some more, in any order."""
        # UTF-8 sorts as code points do; a NUL keeps "a" before "a!".
        run = b"".join(sorted(b"%s\0%08x\n" % (key.encode(), number) for key, number in keys))
        if run:
            at = self._lines.append(run)
            self._runs.append((at, at + len(run)))

    def __iter__(self) -> Iterator[tuple[str, int]]:
        """All of them by key, equal keys by number."""
        content = self._lines.content()
        for place, line in enumerate(heapq.merge(*(_lines(content, *run) for run in self._runs))):
            key, number = line[:-9], line[-8:]
            yield key.decode(), int(number, 16)
            if place % _LET_GO_EVERY == 0:
                self._workspace.let_go()


def _lines(content: Content, start: int, stop: int) -> Iterator[bytes]:
    while start < stop:
        end = content.find(b"\n", start, stop)
        yield content[start:end]
        start = end + 1
