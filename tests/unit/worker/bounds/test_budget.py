"""Budgets and windows: bounded, fair, without deadlock."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.shared.consumer.cancellation import Cancellation, Cancelled
from runtime.shared.scope import Scope
from runtime.worker.bounds.budget import ByteBudget
from runtime.worker.bounds.window import Window
from runtime.worker.transfer.memory import part_size
from runtime.worker.transfer.multipart import MIN_PART_BYTES


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


def test_a_part_that_waits_takes_no_place_of_the_archives_to_come() -> None:
    budget = ByteBudget(100, places=2, minimum=20)
    scope = Scope(Cancellation())
    with budget.acquire(60, scope, places=0):
        assert budget.try_acquire(1) is None  # 40 are kept for two archives
        with budget.acquire(20, scope), budget.acquire(20, scope):
            assert budget.in_use == 100
    assert budget.in_use == 0


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
