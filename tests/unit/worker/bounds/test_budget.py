"""Budgets and windows: bounded, fair, without deadlock; spans: everything wanted, little else."""

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.shared.consumer.cancellation import Cancellation, Cancelled
from runtime.worker.archive import Entry
from runtime.worker.bounds.budget import ByteBudget
from runtime.worker.bounds.scope import Scope
from runtime.worker.bounds.window import Window
from runtime.worker.plan.metadata import Expected
from runtime.worker.plan.planner import EntryResult, Wanted
from runtime.worker.plan.spans import merge, pieces
from runtime.worker.transfer.multipart import MIN_PART_BYTES, part_size


def wanted(start: int, stop: int, index: int = 0) -> Wanted:
    entry = Entry(index, str(index), b"", 0, 0, 0, stop - start, stop - start, start, 0)
    expected = Expected(stop - start, None, "", None)
    return Wanted(entry, expected, str(index), start, stop, EntryResult(entry))


layouts = st.lists(st.tuples(st.integers(0, 200_000), st.integers(1, 3_000_000)), min_size=1, max_size=60)


@given(layouts, st.integers(0, 100_000), st.integers(1, 8))
@settings(max_examples=150, deadline=None)
def test_spans_cover_each_wanted_entry_once(
    layout: list[tuple[int, int]], gap: int, connections: int
) -> None:
    entries, at = [], 0
    for index, (space, length) in enumerate(layout):
        entries.append(wanted(at + space, at + space + length, index))
        at += space + length
    work = pieces(entries, gap, connections)
    spans = [span for piece in work for span in piece]
    assert [entry for span in spans for entry in span.entries] == entries
    for span in spans:
        assert span.start == span.entries[0].start
        assert span.stop == span.entries[-1].stop
    total = sum(entry.stop - entry.start for entry in entries)
    assert sum(span.stop - span.start for span in spans) <= total * 1.1
    if connections == 1:
        assert len(work) == 1


def test_neighbours_make_one_request() -> None:
    entries = [wanted(i * 100, i * 100 + 100, i) for i in range(1_000)]
    assert len(merge(entries, 0)) == 1
    assert len(merge(entries[::2], 50)) == 500
    assert len(merge([wanted(0, 10_000), wanted(10_050, 20_000)], 64)) == 1


@given(st.integers(1, 40 * 2**40))
def test_parts_stay_within_s3s_limits(size: int) -> None:
    part = part_size(size)
    assert part >= MIN_PART_BYTES
    assert -(-size // part) <= 10_000


def test_a_budget_serves_in_order_and_keeps_places_free() -> None:
    budget = ByteBudget(100, places=4, minimum=20)
    scope = Scope(Cancellation())
    assert budget.try_acquire(21) is None
    extra = budget.try_acquire(20)
    assert extra is not None
    grants = [budget.acquire(20, scope) for _ in range(4)]
    assert budget.in_use == 100
    served: list[int] = []

    def wait(number: int) -> None:
        with budget.acquire(20, scope):
            served.append(number)

    threads = []
    for number in range(3):
        threads.append(threading.Thread(target=wait, args=(number,)))
        threads[-1].start()
        deadline = time.monotonic() + 5
        while len(budget._waiters) <= number:
            assert time.monotonic() < deadline
            time.sleep(0.001)
    extra.release()  # room for one at a time
    for thread in threads:
        thread.join(5)
    assert served == [0, 1, 2]
    for grant in grants:
        grant.release()
    assert budget.in_use == 0


def test_a_generous_grant_leaves_room_for_the_others() -> None:
    budget = ByteBudget(100, places=3, minimum=20)
    scope = Scope(Cancellation())
    first = budget.acquire(20, scope, generous=60)
    assert first.size == 60
    assert [budget.acquire(20, scope, generous=60).size for _ in range(2)] == [20, 20]
    first.release()
    first.release()
    assert budget.in_use == 40


def test_waiting_for_budget_ends_when_cancelled() -> None:
    budget = ByteBudget(10)
    held = budget.acquire(10, Scope(Cancellation()))
    cancellation = Cancellation()
    threading.Timer(0.1, cancellation.set, ("stopping",)).start()
    with pytest.raises(Cancelled):
        budget.acquire(5, Scope(cancellation))
    held.release()
    assert budget.in_use == 0


def test_a_window_lets_the_first_in_whatever_its_size() -> None:
    budget = ByteBudget(100)
    window = Window(10, budget, Scope(Cancellation()))
    budget.acquire(100, Scope(Cancellation()))
    big = window.enter(1_000)
    entered = threading.Event()

    def second() -> None:
        window.enter(5).leave()
        entered.set()

    thread = threading.Thread(target=second)
    thread.start()
    assert not entered.wait(0.1)
    big.leave()
    assert entered.wait(5)
    window.drain()


def test_a_failed_scope_wakes_who_waits_in_a_window() -> None:
    scope = Scope(Cancellation())
    window = Window(10, ByteBudget(0), scope)
    window.enter(10)
    threading.Timer(0.1, scope.fail, (ValueError("first"),)).start()
    with pytest.raises(ValueError, match="first"):
        window.enter(10)
