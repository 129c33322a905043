"""The idle connections of a client: kept by origin, the most recently used first, never for long.

An idle connection costs the other side something and may be closed by it at any time; one that is young and
has sent nothing is very likely still good. Whoever takes one is ready to find it closed all the same.
"""

import threading
import time
from collections import OrderedDict
from typing import NamedTuple

from runtime.shared.http.connection import HttpConnection

_MOST_IDLE = 256  # over all origins: 16 upload threads with 8 requests in flight each, and room
_LONGEST_IDLE_S = 10.0


class Origin(NamedTuple):
    """What a kept connection may be used for again; the host in lower case."""

    scheme: str
    host: str
    port: int


class ConnectionPool:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # In the order in which they became idle.
        self._idle: OrderedDict[HttpConnection, Origin] = OrderedDict()
        self._by_origin: dict[Origin, list[HttpConnection]] = {}

    def take(self, origin: Origin) -> HttpConnection | None:
        """An idle connection to this origin that looks alive; it is the caller's now."""
        while True:
            with self._lock:
                idle = self._by_origin.get(origin)
                if idle is None:
                    return None
                connection = idle.pop()
                del self._idle[connection]
                if not idle:
                    del self._by_origin[origin]
            if time.monotonic() - connection.idle_since < _LONGEST_IDLE_S and connection.looks_alive():
                return connection
            connection.close()

    def give(self, origin: Origin, connection: HttpConnection) -> None:
        """Keep the connection if it can serve another request, else close it; in either case let it go."""
        if not connection.reusable:
            connection.close()
            return
        connection.reused, connection.idle_since = True, time.monotonic()
        with self._lock:
            self._idle[connection] = origin
            idle = self._by_origin.get(origin)
            if idle is None:
                self._by_origin[origin] = [connection]
            else:
                idle.append(connection)
            dropped = self._surplus(connection.idle_since - _LONGEST_IDLE_S)
        for surplus in dropped:
            surplus.close()

    def _surplus(self, too_old: float) -> list[HttpConnection]:
        """Take out what has been idle since before `too_old`, and the oldest of too many."""
        surplus = []
        while (oldest := next(iter(self._idle))).idle_since < too_old or len(self._idle) > _MOST_IDLE:
            self._remove(oldest)
            surplus.append(oldest)
        return surplus

    def _remove(self, connection: HttpConnection) -> None:
        origin = self._idle.pop(connection)
        idle = self._by_origin[origin]
        idle.remove(connection)
        if not idle:
            del self._by_origin[origin]

    def close(self) -> None:
        """Close all that are idle now."""
        with self._lock:
            idle, self._idle, self._by_origin = self._idle, OrderedDict(), {}
        for connection in idle:
            connection.close()
