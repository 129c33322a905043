"""Which idle connections are given out again, and which are let go."""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from runtime.shared.http import pool as pool_module
from runtime.shared.http.connection import HttpConnection
from runtime.shared.http.pool import ConnectionPool, Origin
from tests.unit.conftest import Clock

HERE = Origin("https", "a.example", 443)
ELSEWHERE = Origin("https", "b.example", 443)
Open = Callable[[], tuple[HttpConnection, socket.socket]]


@pytest.fixture
def opened(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    monkeypatch.setattr("time.monotonic", clock)
    ends: list[socket.socket] = []

    def open_one() -> tuple[HttpConnection, socket.socket]:
        here, there = socket.socketpair()
        ends.extend((here, there))
        return HttpConnection(here, 5), there

    yield open_one
    for end in ends:
        end.close()


def is_closed(there: socket.socket) -> bool:
    there.setblocking(False)
    try:
        return there.recv(1) == b""
    except BlockingIOError:
        return False


def test_the_last_one_in_is_the_first_one_out(opened: Open) -> None:
    pool = ConnectionPool()
    first, second = opened()[0], opened()[0]
    pool.give(HERE, first)
    pool.give(HERE, second)
    assert pool.take(ELSEWHERE) is None
    assert pool.take(HERE) is second
    assert second.reused
    assert pool.take(HERE) is first
    assert pool.take(HERE) is None


def test_age_ends_it(opened: Open, clock: Clock) -> None:
    pool = ConnectionPool()
    connection, there = opened()
    pool.give(HERE, connection)
    clock.advance(10.5)
    assert pool.take(HERE) is None
    assert is_closed(there)


def test_an_origin_nobody_asks_for_any_more_keeps_nothing_open(opened: Open, clock: Clock) -> None:
    pool = ConnectionPool()
    connection, there = opened()
    pool.give(ELSEWHERE, connection)
    clock.advance(10.5)
    pool.give(HERE, opened()[0])
    assert is_closed(there)


@pytest.mark.parametrize("what", ["closed", "spoke unasked"])
def test_what_the_other_side_did_meanwhile_ends_it(opened: Open, clock: Clock, what: str) -> None:
    pool = ConnectionPool()
    connection, there = opened()
    older = opened()[0]
    pool.give(HERE, older)
    pool.give(HERE, connection)
    clock.advance(2)
    there.close() if what == "closed" else there.sendall(b"HTTP/1.1 408 Idle\r\n\r\n")
    assert pool.take(HERE) is older


def test_an_answer_read_in_part_is_not_kept(opened: Open) -> None:
    pool = ConnectionPool()
    connection, there = opened()
    there.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc")
    connection.read_head()
    pool.give(HERE, connection)
    assert pool.take(HERE) is None
    assert is_closed(there)


def test_the_oldest_makes_room(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_MOST_IDLE", 2)
    pool = ConnectionPool()
    (oldest, there), (second, _), (third, _) = opened(), opened(), opened()
    pool.give(ELSEWHERE, oldest)
    pool.give(HERE, second)
    pool.give(HERE, third)
    assert is_closed(there)
    assert pool.take(ELSEWHERE) is None
    assert pool.take(HERE) is third


def test_closing_lets_all_go(opened: Open) -> None:
    pool = ConnectionPool()
    connection, there = opened()
    pool.give(HERE, connection)
    pool.close()
    assert is_closed(there)
    assert pool.take(HERE) is None


def test_no_two_threads_hold_the_same_connection(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_MOST_IDLE", 6)
    monkeypatch.setattr(pool_module, "_SWEEP_S", 0.0)
    pool = ConnectionPool()
    for _ in range(8):
        pool.give(HERE, opened()[0])
    held: set[int] = set()

    def hold_and_return(_: int) -> int:
        taken = 0
        for _ in range(2_000):
            connection = pool.take(HERE)
            if connection is None:
                continue
            assert id(connection) not in held
            held.add(id(connection))
            taken += 1
            held.discard(id(connection))
            pool.give(HERE, connection)
        return taken

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(hold_and_return, range(6))) > 1_000
    pool.close()
    assert pool.take(HERE) is None
