"""The rate of requests that S3 takes: found by asking for less when it says so, and for a little more after.

S3 takes 3,500 writes a second per prefix, fewer while it divides a new one, and answers `503 SlowDown`
beyond. Until it does there is no limit. Then all threads of the process share one: halved at each such answer
(once for all that were under way together), and raised bit by bit until nobody needs it any more.
"""

import threading
import time
from collections.abc import Callable

from runtime.shared.scope import Scope

SLOW_DOWN = frozenset({"SlowDown", "RequestLimitExceeded", "Throttling", "ThrottlingException"})
_DECREASE = 0.5
_INCREASE = 0.05  # of the rate at the last slow-down, each second
_LEAST_RATE = 1.0
_SETTLE_S = 1.0  # answers to what was sent before a decrease say nothing about it
_FREE_AFTER_S = 120.0


class AdaptiveRate:
    """Requests per second of all threads together."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rate: float | None = None
        self._peak = 0.0
        self._slowed_at = 0.0
        self._raised_at = 0.0
        self._next = 0.0  # when the next request may be sent
        self._counted_since = clock()
        self._counted = 0

    @property
    def per_s(self) -> float | None:
        """None while there is no limit."""
        return self._rate

    def wait(self, scope: Scope) -> None:
        """Until this request's turn. Raises what the scope ended with."""
        if self._rate is None:
            # Without the lock, which all threads would pass through for each request: the count is an
            # estimate, and may miss one.
            self._count(self._clock())
            return
        with self._lock:
            now = self._clock()
            self._count(now)
            if self._rate is None:
                return
            self._raise(now)
            if self._rate is None:
                return
            turn = max(self._next, now)
            self._next = turn + 1 / self._rate
        if turn > now:
            scope.wait(turn - now)

    def slow_down(self) -> None:
        """S3 said so."""
        with self._lock:
            now = self._clock()
            if self._rate is not None and now - self._slowed_at < _SETTLE_S:
                return
            took = max(now - self._counted_since, 0.1)
            current = self._rate if self._rate is not None else self._counted / took
            self._peak = max(current, _LEAST_RATE)
            self._rate = max(_LEAST_RATE, current * _DECREASE)
            self._slowed_at = self._raised_at = now
            self._next = max(self._next, now)

    def _raise(self, now: float) -> None:
        assert self._rate is not None
        if now - self._slowed_at > _FREE_AFTER_S:
            self._rate = None
            return
        self._rate += self._peak * _INCREASE * (now - self._raised_at)
        self._raised_at = now

    def _count(self, now: float) -> None:
        if now - self._counted_since > 1.0:
            self._counted_since, self._counted = now, 0
        self._counted += 1
