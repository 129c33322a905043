"""Sorting columns of millions of numbers with the memory of some ten thousand."""

import heapq
from collections.abc import Iterator
from itertools import pairwise

from runtime.worker.archive.workspace import Workspace, column

_AT_ONCE = 65_536


def sorted_by(keys: memoryview, workspace: Workspace) -> memoryview:
    """The indices of `keys` in the order of their values, equal ones in their own order."""
    count = len(keys)
    runs = column(workspace, "Q", count)
    bounds = range(0, count, _AT_ONCE)
    for first in bounds:
        last = min(first + _AT_ONCE, count)
        for place, index in enumerate(sorted(range(first, last), key=keys.__getitem__), first):
            runs[place] = index
    if len(bounds) <= 1:
        return runs
    order = column(workspace, "Q", count)
    merged = heapq.merge(
        *(iter(runs[first : min(first + _AT_ONCE, count)]) for first in bounds), key=keys.__getitem__
    )
    for place, index in enumerate(merged):
        order[place] = index
    return order


def repeated(values: memoryview) -> Iterator[dict[int, list[int]]]:
    """Values that stand at several places, with the places; some of them at a time."""
    count = len(values)
    shares = max(1, -(-count // _AT_ONCE))
    for share in range(shares):
        mine = sorted(value for value in values if value % shares == share) if shares > 1 else sorted(values)
        twice = {one for one, other in pairwise(mine) if one == other}
        if not twice:
            continue
        places: dict[int, list[int]] = {value: [] for value in twice}
        for index, value in enumerate(values):
            if value in places:
                places[value].append(index)
        yield places
