"""The one way to try again inside a piece of work."""

import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.shared.backoff import Backoff
from runtime.shared.consumer.backoff import MAX_PAUSE_S


def longest(_low: float, high: float) -> float:
    return high


def backoff(wait: Callable[[float], object], *, attempts: int = 4, longest_s: float | None = None) -> Backoff:
    return Backoff(wait, attempts=attempts, base_s=1, max_s=3, longest_s=longest_s, uniform=longest)


def test_pauses_double_up_to_the_longest_and_then_it_gives_up() -> None:
    pauses: list[float] = []
    tries = backoff(pauses.append)
    assert [tries.failed() for _ in range(4)] == [True, True, True, False]
    assert pauses == [1, 2, 3]
    tries.reset()
    assert tries.failed()
    assert pauses[-1] == 1


@pytest.mark.parametrize(("asked_s", "pause_s"), [(None, 1), (0.0, 1), (2.5, 3.5), (10.0, 11)])
def test_what_the_other_side_asks_for_is_a_floor_under_the_pause(
    asked_s: float | None, pause_s: float
) -> None:
    pauses: list[float] = []
    assert backoff(pauses.append, longest_s=10).failed(asked_s)
    assert pauses == [pause_s]


def test_a_longer_pause_than_a_slot_may_be_held_is_not_made_here() -> None:
    pauses: list[float] = []
    assert not backoff(pauses.append).failed(3.1)
    assert pauses == []


@given(st.floats(allow_nan=False) | st.none(), st.integers(1, 10**6))
def test_no_pause_is_longer_than_the_longest(asked_s: float | None, failures: int) -> None:
    pauses: list[float] = []
    tries = Backoff(
        pauses.append, attempts=10**7, base_s=10, max_s=900, longest_s=float("inf"), uniform=longest
    )
    tries.failures = failures
    assert tries.failed(asked_s)
    assert 0 <= pauses[0] <= MAX_PAUSE_S


def test_cancelling_the_wait_ends_the_trying() -> None:
    cancelled = threading.Event()
    cancelled.set()
    assert not Backoff(cancelled.wait, attempts=4, base_s=60, max_s=60).failed()


@pytest.mark.parametrize(("attempts", "base_s", "max_s"), [(0, 1, 2), (1, -1, 2), (1, 3, 2)])
def test_nonsense_is_refused_at_once(attempts: int, base_s: float, max_s: float) -> None:
    with pytest.raises(ValueError, match="no back-off"):
        Backoff(lambda _s: None, attempts=attempts, base_s=base_s, max_s=max_s)
