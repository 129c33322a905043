"""Spans cover everything that is wanted and little else, in pieces for several connections."""

from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.worker.plan.spans import ByteSpan, Pieces, merge, pieces


class Places:
    """What stands for a plan's wanted entries: their bounds, and as entries their places."""

    def __init__(self, bounds: list[tuple[int, int]]) -> None:
        self._bounds = bounds
        self.total_bytes = sum(stop - start for start, stop in bounds)

    def bounds(self) -> Iterable[tuple[int, int]]:
        return iter(self._bounds)

    def slice(self, first: int, last: int) -> range:
        return range(first, last)


def of(*bounds: tuple[int, int]) -> Places:
    return Places(list(bounds))


def all_of(work: Pieces) -> list[list[ByteSpan]]:
    found = []
    while True:
        try:
            found.append(list(work.popleft()))
        except IndexError:
            return found


layouts = st.lists(st.tuples(st.integers(0, 200_000), st.integers(1, 3_000_000)), min_size=1, max_size=60)


@given(layouts, st.integers(0, 100_000), st.integers(1, 8))
@settings(max_examples=150, deadline=None)
def test_spans_cover_each_wanted_entry_once(
    layout: list[tuple[int, int]], gap: int, connections: int
) -> None:
    bounds, at = [], 0
    for space, length in layout:
        bounds.append((at + space, at + space + length))
        at += space + length
    wanted = Places(bounds)
    work = pieces(wanted, gap, connections)  # type: ignore[arg-type]
    announced = len(work)
    found = all_of(work)
    spans = [span for piece in found for span in piece]
    assert [place for span in spans for place in span.entries] == list(range(len(bounds)))
    for span in spans:
        assert (span.start, span.stop) == (bounds[span.first][0], bounds[span.last - 1][1])
    assert all(one.stop <= other.start for one, other in pairwise(spans))
    assert sum(span.stop - span.start for span in spans) <= wanted.total_bytes * 1.1
    assert announced == min(connections, len(found))


def test_neighbours_make_one_request() -> None:
    bounds = [(i * 100, i * 100 + 100) for i in range(1_000)]
    assert len(list(merge(of(*bounds), 0))) == 1  # type: ignore[arg-type]
    assert len(list(merge(of(*bounds[::2]), 50))) == 500  # type: ignore[arg-type]
    assert len(list(merge(of((0, 10_000), (10_050, 20_000)), 64))) == 1  # type: ignore[arg-type]


def test_the_shortest_gaps_are_closed_first() -> None:
    bounds = [(0, 1_000), (1_090, 2_000), (2_010, 3_000), (3_011, 4_000)]
    spans = list(merge(of(*bounds), 1_000))  # type: ignore[arg-type]
    assert [(span.first, span.last) for span in spans] == [(0, 4)]
    bounds = [(0, 1_000), (1_900, 2_900), (2_910, 3_910)]
    spans = list(merge(of(*bounds), 1_000))  # type: ignore[arg-type]
    assert [(span.first, span.last) for span in spans] == [(0, 1), (1, 3)]


def test_nothing_wanted_is_no_work() -> None:
    for connections in (1, 4):
        work = pieces(of(), 100, connections)  # type: ignore[arg-type]
        assert (len(work), all_of(work)) == (0, [])
