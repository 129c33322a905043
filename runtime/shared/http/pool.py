"""The idle connections of a client: kept by origin, the most recently used first, never for long.

An idle connection costs the other side something and may be closed by it at any time; one that is young and
has sent nothing is very likely still good. Whoever takes one is ready to find it closed all the same.
"""

import contextlib
import math
import threading
import time
from typing import NamedTuple

from runtime.shared.http.connection import HttpConnection

_MOST_IDLE = 256  # over all origins: four threads with 32 requests in flight each, and room
_LONGEST_IDLE_S = 10.0
_SWEEP_S = 1.0


class Origin(NamedTuple):
    """The server that a kept connection may be used for again; the host in lower case."""

    scheme: str
    host: str
    port: int


class ConnectionPool:
    """Thread-safe.

    Taking and giving back need no lock, for which thousands of uploads a second would queue: a list's append
    and pop are one step each.
    """

    def __init__(self) -> None:
        # Each in the order in which they became idle. An origin's list stays when it is empty: another thread
        # may be about to append to it, and there are few origins.
        self._idle: dict[Origin, list[HttpConnection]] = {}
        self._sweeping = threading.Lock()
        self._sweep_at = 0.0

    def take(self, origin: Origin) -> HttpConnection | None:
        """An idle connection to this origin that looks alive; it is the caller's now."""
        idle = self._idle.get(origin, _NONE)
        while True:
            try:
                connection = idle.pop()
            except IndexError:
                return None
            if time.monotonic() - connection.idle_since < _LONGEST_IDLE_S and connection.looks_alive():
                return connection
            connection.close()

    def give(self, origin: Origin, connection: HttpConnection) -> None:
        """Keep the connection if it can serve another request, else close it; in either case let it go."""
        if not connection.reusable:
            connection.close()
            return
        now = time.monotonic()
        connection.reused, connection.idle_since = True, now
        idle = self._idle.get(origin)
        if idle is None:
            idle = self._idle.setdefault(origin, [])
        idle.append(connection)
        if now >= self._sweep_at or self._count() > _MOST_IDLE:
            self._sweep(now)

    def _count(self) -> int:
        return sum(map(len, list(self._idle.values())))

    def _sweep(self, now: float) -> None:
        """Close what has been idle for too long, and the oldest of too many."""
        if not self._sweeping.acquire(blocking=False):
            return
        try:
            self._sweep_at = now + _SWEEP_S
            lists = list(self._idle.values())
            for idle in lists:
                while (age := _oldest(idle)) is not None and now - age > _LONGEST_IDLE_S:
                    _close_oldest(idle)
            while self._count() > _MOST_IDLE:
                _close_oldest(min(lists, key=_age_order))
        finally:
            self._sweeping.release()

    def close(self) -> None:
        """Close all that are idle now."""
        for idle in list(self._idle.values()):
            while _oldest(idle) is not None:
                _close_oldest(idle)


_NONE: list[HttpConnection] = []


def _oldest(idle: list[HttpConnection]) -> float | None:
    """Since when the first of them has been idle; None when there is none."""
    try:
        return idle[0].idle_since
    except IndexError:
        return None


def _age_order(idle: list[HttpConnection]) -> float:
    since = _oldest(idle)
    return math.inf if since is None else since


def _close_oldest(idle: list[HttpConnection]) -> None:
    """Or a younger one, when somebody has just taken the oldest: it is opened anew at need."""
    with contextlib.suppress(IndexError):
        idle.pop(0).close()
