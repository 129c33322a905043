"""Columns are sorted, and repeated values found, as if they were lists, whatever their length."""

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.worker.archive import HeapWorkspace, sorting
from runtime.worker.archive.sorting import repeated, sorted_by
from runtime.worker.archive.workspace import column

VALUES = st.lists(st.one_of(st.integers(0, 20), st.integers(0, (1 << 64) - 1)), max_size=60)


def filled(values: list[int]) -> memoryview:
    cells = column(HeapWorkspace(), "Q", len(values))
    for place, value in enumerate(values):
        cells[place] = value
    return cells


@pytest.fixture(autouse=True)
def _few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorting, "_AT_ONCE", 7)


@given(VALUES)
@settings(deadline=None)
def test_sorted_as_a_list_is(values: list[int]) -> None:
    assert list(sorted_by(filled(values), HeapWorkspace())) == sorted(
        range(len(values)), key=values.__getitem__
    )


@given(VALUES)
@settings(deadline=None)
def test_every_value_that_stands_twice_is_found_once(values: list[int]) -> None:
    places = defaultdict(list)
    for place, value in enumerate(values):
        places[value].append(place)
    found = [pair for group in repeated(filled(values)) for pair in group.items()]
    assert sorted(found) == sorted((value, where) for value, where in places.items() if len(where) > 1)
