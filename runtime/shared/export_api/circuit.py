"""A circuit breaker: after so many failures in a row no call is made for a while, then one tries.

pybreaker holds its lock for the whole of each call, which would send the slots to the API one by one; this
one decides before a call and learns after it, and holds its lock only for that.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from runtime.shared.export_api.errors import ApiError, CircuitOpen

State = Literal["closed", "half-open", "open"]


class Circuit:
    """`listener(state)` hears every change, in order; it runs inside the lock and must not call back."""

    def __init__(
        self,
        *,
        failures: int,
        reset_s: float,
        listener: Callable[[State], None] = lambda _state: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = failures
        self._reset_s = reset_s
        self._listener = listener
        self._clock = clock
        self._lock = threading.Lock()
        self._state: State = "closed"
        self._failures = 0
        self._opened_at = 0.0

    @property
    def state(self) -> State:
        return self._state

    @contextmanager
    def call(self, counts: Callable[[BaseException], bool]) -> Iterator[None]:
        """Guard one call; an error for which `counts` is false says nothing about the API's health.

        Raises CircuitOpen instead of letting the call happen. Errors of the call that tries after a pause
        are marked `outage`.
        """
        trial = self._admit()
        try:
            yield
        except BaseException as error:
            if counts(error):
                self._failed()
                if trial and isinstance(error, ApiError):
                    error.outage = True
            else:
                self._succeeded()
            raise
        self._succeeded()

    def _admit(self) -> bool:
        """True when this call is the one that tries after a pause."""
        with self._lock:
            if self._state == "closed":
                return False
            remaining = self._opened_at + self._reset_s - self._clock()
            if self._state == "half-open" or remaining > 0:
                raise CircuitOpen(max(remaining, 1.0))
            self._change("half-open")
            return True

    def _failed(self) -> None:
        with self._lock:
            self._failures += 1
            if self._state == "half-open" or (self._state == "closed" and self._failures >= self._limit):
                self._opened_at = self._clock()
                self._change("open")

    def _succeeded(self) -> None:
        with self._lock:
            self._failures = 0
            # A call that began before the circuit opened may end well afterwards; only the trial closes it.
            if self._state == "half-open":
                self._change("closed")

    def _change(self, state: State) -> None:
        self._state = state
        self._listener(state)
