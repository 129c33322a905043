"""Which byte ranges to ask for: neighbours merged, and the whole cut into pieces for several connections.

Merging saves requests but fetches what nobody wants. Gaps are closed from the smallest up, as long as each is
below the setting and all of them together stay a small share of what is wanted. Nothing is held of entries
that are not yet due, so a million of them cost no memory.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from runtime.shared.sizes import MIB
from runtime.worker.plan.wanted import Wanted

_OVERHEAD = 0.1
_LEAST_PIECE_BYTES = 4 * MIB
_MOST_PIECE_BYTES = 64 * MIB
_MOST_PIECE_SPANS = 1_024
_PIECES_PER_CONNECTION = 4


class EntriesInOrder(Protocol):
    """`WantedEntries`, or what stands for them."""

    total_bytes: int

    def bounds(self) -> Iterable[tuple[int, int]]: ...
    def slice(self, first: int, last: int) -> Iterable[Wanted]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteSpan:
    """One ranged request: the entries in it, in the order they lie, made when they are asked for."""

    start: int
    stop: int
    first: int
    last: int
    wanted: EntriesInOrder

    @property
    def entries(self) -> Iterable[Wanted]:
        return self.wanted.slice(self.first, self.last)


Piece = Iterable[ByteSpan]
"""Spans that one connection works through, one after the other."""


class Pieces:
    """The work, cut between entries so that each connection gets several pieces of similar size. Thread-safe.

    With one connection there is one piece, so an archive that is wanted whole is one sequential request.
    """

    def __init__(self, make: Callable[[], Iterator[Piece]], connections: int) -> None:
        self._left = make()
        self._count = sum(1 for _ in islice(make(), connections))
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many there were at first, as far as there are connections for them."""
        return self._count

    def popleft(self) -> Piece:
        """The next one. Raises IndexError when there is none."""
        with self._lock:
            piece = next(self._left, None)
        if piece is None:
            raise IndexError("no pieces are left")
        return piece


class _Bridges:
    """Which gaps to close: by their length in bits, from the shortest up, while there is something to spare.

    Gaps of the first length for which not enough is left are closed as they come.
    """

    def __init__(self, wanted: EntriesInOrder, limit: int) -> None:
        self._limit = limit
        sums = [0] * 65
        last = None
        for start, stop in wanted.bounds():
            gap = start - last if last is not None else 0
            if 0 < gap <= limit:
                sums[gap.bit_length()] += gap
            last = stop
        self._spare = int(wanted.total_bytes * _OVERHEAD)
        self._bits = 0
        while self._bits < 64 and sums[self._bits + 1] <= self._spare:
            self._bits += 1
            self._spare -= sums[self._bits]

    def close(self, gap: int) -> bool:
        if gap <= 0:
            return True
        if gap > self._limit or gap.bit_length() > self._bits + 1:
            return False
        if gap.bit_length() <= self._bits:
            return True
        if gap > self._spare:
            return False
        self._spare -= gap
        return True


def merge(wanted: EntriesInOrder, gap_limit: int, cut_bytes: int | None = None) -> Iterator[ByteSpan]:
    """Spans that cover the wanted entries; with `cut_bytes`, long ones are cut about so long."""
    bridges = _Bridges(wanted, gap_limit)
    left = wanted.total_bytes
    begin = end = first = index = 0
    for index, (start, stop) in enumerate(wanted.bounds()):
        long_enough = cut_bytes is not None and end - begin >= cut_bytes and left >= cut_bytes // 2
        if index and (not bridges.close(start - end) or long_enough):
            yield ByteSpan(start=begin, stop=end, first=first, last=index, wanted=wanted)
            first = index
        if first == index:
            begin = end = start
        end = max(end, stop)
        left -= stop - start
    if end > begin:
        yield ByteSpan(start=begin, stop=end, first=first, last=index + 1, wanted=wanted)


def pieces(wanted: EntriesInOrder, gap_limit: int, connections: int) -> Pieces:
    """The work for so many connections."""
    if connections == 1:
        return Pieces(lambda: iter([merge(wanted, gap_limit)] if wanted.total_bytes else []), 1)
    share = wanted.total_bytes // (connections * _PIECES_PER_CONNECTION)
    size = min(max(share, _LEAST_PIECE_BYTES), _MOST_PIECE_BYTES)
    return Pieces(lambda: _grouped(merge(wanted, gap_limit, size), size), connections)


def _grouped(spans: Iterable[ByteSpan], size: int) -> Iterator[Piece]:
    piece: list[ByteSpan] = []
    room = size
    for span in spans:
        piece.append(span)
        room -= span.stop - span.start
        if room <= 0 or len(piece) == _MOST_PIECE_SPANS:
            yield piece
            piece, room = [], size
    if piece:
        yield piece
