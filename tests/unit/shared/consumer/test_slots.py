"""Slots: never oversubscribed, and fair between queues."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.shared.consumer.slots import SlotPool


def test_slots_go_to_the_queue_that_had_least_for_its_weight() -> None:
    pool = SlotPool(2, {"heavy": 3, "light": 1})
    assert pool.reserve("light", 1, 0) == 1  # one slot stays taken, so that the two compete for the other
    served: list[str] = []
    turns = threading.Semaphore(0)

    def take(name: str) -> None:
        while len(served) < 40:
            if pool.reserve(name, 10, 0.2):
                served.append(name)
                turns.release()

    threads = [threading.Thread(target=take, args=(name,)) for name in ("heavy", "light")]
    for thread in threads:
        thread.start()
    for _ in range(40):
        assert turns.acquire(timeout=5)
        # Both wait again before the slot is free, as busy queues do.
        for _ in range(200):
            if len(pool._waiting) == 2:
                break
            threading.Event().wait(0.001)
        pool.release()
    for thread in threads:
        thread.join()
    assert 25 <= served[:40].count("heavy") <= 33


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 10), st.integers(0, 10)), max_size=40))
def test_slots_are_never_oversubscribed(turns: list[tuple[str, int, int]]) -> None:
    pool = SlotPool(5, {"a": 1, "b": 2})
    held = 0
    for queue, limit, used in turns:
        granted = pool.reserve(queue, limit, 0)
        assert granted <= limit
        kept = min(used, granted)
        pool.refund(queue, granted - kept)
        held += kept
        assert held <= 5
        if held:
            pool.release()
            held -= 1
    assert pool.reserve("a", 10, 0) == 5 - held


def test_an_admission_holds_slots_back_below_the_ceiling() -> None:
    room = {"now": 3}
    pool = SlotPool(100, {"a": 1}, lambda in_use: room["now"] - in_use)
    assert pool.reserve("a", 10, 0) == 3
    assert pool.full
    assert pool.reserve("a", 10, 0) == 0
    room["now"] = 200
    assert not pool.full
    assert [pool.reserve("a", 60, 0) for _ in range(3)] == [60, 37, 0]
    room["now"] = 1  # fewer than are in use: nothing is taken back, nothing more is given
    pool.release()
    assert pool.reserve("a", 10, 0) == 0


def test_fewer_slots_than_queues_are_refused() -> None:
    with pytest.raises(ValueError, match="2 queues need"):
        SlotPool(1, {"a": 1, "b": 1})
