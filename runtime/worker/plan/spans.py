"""Which byte ranges to ask for: neighbours merged, and the whole cut into pieces for several connections.

Merging saves requests but fetches what nobody wants. Gaps are closed from the smallest up, as long as each is
below the setting and all of them together stay a small share of what is wanted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from runtime.worker.plan.planner import Wanted

_OVERHEAD = 0.1
_LEAST_PIECE_BYTES = 4 * 1024 * 1024
_MOST_PIECE_BYTES = 64 * 1024 * 1024
_PIECES_PER_CONNECTION = 4


@dataclass(frozen=True, slots=True)
class Span:
    """One ranged request: the entries in it, in the order they lie."""

    start: int
    stop: int
    entries: Sequence[Wanted]


Piece = list[Span]
"""Spans that one connection works through, one after the other."""


def merge(wanted: Sequence[Wanted], gap_limit: int) -> list[Span]:
    """Spans that cover the wanted entries (sorted by their place in the archive)."""
    if not wanted:
        return []
    gaps = sorted((b.start - a.stop, i) for i, (a, b) in enumerate(pairwise(wanted)))
    spare = int(sum(entry.stop - entry.start for entry in wanted) * _OVERHEAD)
    bridged = set()
    for gap, index in gaps:
        if gap > gap_limit or gap > spare:
            break
        bridged.add(index)
        spare -= max(gap, 0)
    spans, first = [], 0
    for index in range(len(wanted)):
        if index not in bridged:
            group = wanted[first : index + 1]
            spans.append(Span(group[0].start, max(entry.stop for entry in group), group))
            first = index + 1
    return spans


def pieces(wanted: Sequence[Wanted], gap_limit: int, connections: int) -> list[Piece]:
    """The work, cut between entries so that each connection gets several pieces of similar size.

    With one connection there is one piece, so an archive that is wanted whole is one sequential request.
    """
    spans = merge(wanted, gap_limit)
    if connections == 1 or not spans:
        return [spans] if spans else []
    total = sum(span.stop - span.start for span in spans)
    share = total // (connections * _PIECES_PER_CONNECTION)
    size = min(max(share, _LEAST_PIECE_BYTES), _MOST_PIECE_BYTES)
    result: list[Piece] = []
    piece: Piece = []
    room = size
    for span in spans:
        for part in _cut(span, size):
            piece.append(part)
            room -= part.stop - part.start
            if room <= 0:
                result.append(piece)
                piece, room = [], size
    if piece:
        result.append(piece)
    return result


def _cut(span: Span, size: int) -> list[Span]:
    if span.stop - span.start <= size + size // 2:
        return [span]
    parts, group, start = [], [], span.entries[0].start
    for entry in span.entries:
        group.append(entry)
        if entry.stop - start >= size:
            parts.append(Span(start, entry.stop, group))
            group, start = [], entry.stop
    if group:
        parts.append(Span(group[0].start, group[-1].stop, group))
    return [Span(part.entries[0].start, part.stop, part.entries) for part in parts]
