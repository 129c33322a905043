"""A fleet has no more at once than it may, and a process that dies gives back what it had."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from runtime.shared.ledger.table import LedgerTable
from runtime.shared.rate import NoneFree, Permits
from tests.unit.conftest import Aws, Clock


@pytest.fixture
def table(aws: Aws, clock: Clock) -> LedgerTable:
    return LedgerTable(aws.dynamodb, aws.table(), retention_days=30, clock=clock)


@pytest.fixture
def held() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def permits(table: LedgerTable, clock: Clock, owner: str, limit: int = 3) -> Permits:
    return Permits(table, "vendor", limit=limit, owner=owner, clock=clock)


def test_a_fleet_holds_no_more_than_the_limit(table: LedgerTable, clock: Clock, held: ExitStack) -> None:
    one, two = permits(table, clock, "one:1"), permits(table, clock, "two:2")
    for taker in (one, two, one):
        held.enter_context(taker.hold(clock.advance))
    for taker in (one, two):
        with pytest.raises(NoneFree):
            held.enter_context(taker.hold(clock.advance))


def test_a_permit_that_is_given_back_is_anothers(table: LedgerTable, clock: Clock, held: ExitStack) -> None:
    one, two = permits(table, clock, "one", 1), permits(table, clock, "two", 1)
    with one.hold(clock.advance), pytest.raises(NoneFree):
        held.enter_context(two.hold(clock.advance))
    # The lease of the first lasts a little longer than its use.
    clock.advance(31)
    held.enter_context(two.hold(clock.advance))
    with pytest.raises(NoneFree):
        held.enter_context(one.hold(clock.advance))


def test_what_is_in_use_is_renewed_and_what_a_dead_process_had_is_not(
    table: LedgerTable, clock: Clock, held: ExitStack
) -> None:
    alive, dead, third = (permits(table, clock, name, 2) for name in ("alive", "dead", "third"))
    held.enter_context(alive.hold(clock.advance))
    held.enter_context(dead.hold(clock.advance))
    for _ in range(8):
        clock.advance(10)
        alive.keep()
    held.enter_context(third.hold(clock.advance))
    with pytest.raises(NoneFree):
        held.enter_context(third.hold(clock.advance))


def test_a_cancelled_wait_ends_at_once(table: LedgerTable, clock: Clock, held: ExitStack) -> None:
    one = permits(table, clock, "one", 1)
    held.enter_context(one.hold(clock.advance))
    began = clock()
    with pytest.raises(NoneFree):
        held.enter_context(one.hold(lambda _seconds: True))
    assert clock() == began


def test_threads_of_one_process_share_its_lease(table: LedgerTable) -> None:
    taker = Permits(table, "threads", limit=4, owner="one")
    lock, now, most = threading.Lock(), 0, 0

    def work() -> None:
        nonlocal now, most
        with taker.hold(threading.Event().wait, longest_s=20):
            with lock:
                now += 1
                most = max(most, now)
            threading.Event().wait(0.02)
            with lock:
                now -= 1

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert now == 0
    assert 1 <= most <= 4


def test_no_limit_costs_no_call() -> None:
    nothing = Permits(None, "vendor", limit=0, owner="o")  # type: ignore[arg-type]
    with nothing.hold(lambda _seconds: True):
        pass
