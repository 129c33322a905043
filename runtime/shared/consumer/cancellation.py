"""How work in progress learns that it must stop, from any thread, once and for all.

Threads that wait on sockets cannot look at a flag, so callbacks may be registered that close them.
"""

import logging
import threading
from collections.abc import Callable
from typing import Literal

Cause = Literal["stopping", "leaving", "receipt-lost", "lease-lost", "time-cap"]

# Work cancelled for one of these has lost its right to the message: whatever it does next must touch nothing.
LOST: frozenset[Cause] = frozenset(("receipt-lost", "lease-lost"))

_log = logging.getLogger(__name__)


class Cancelled(Exception):
    """Raised by `raise_if_set`; a handler lets it pass through to the consumer."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(f"cancelled: {cause}")
        self.cause = cause


class LeaseLost(Exception):
    """Somebody else owns the work now; raised by a renewal or a fenced write."""


class Cancellation:
    """Set at most once; a lost receipt or lease still overrides a friendlier cause.

    `expired` is asked on every look, so that a process woken from a long freeze sees the loss
    before its heartbeat thread has run again.
    """

    def __init__(self, expired: Callable[[], bool] | None = None) -> None:
        self._expired = expired
        self._lock = threading.Lock()
        self._event = threading.Event()
        self._cause: Cause | None = None
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._next_id = 0

    @property
    def cause(self) -> Cause | None:
        return self._cause

    @property
    def lost(self) -> bool:
        """True when the right to the message is gone."""
        return self.is_set() and self._cause in LOST

    def is_set(self) -> bool:
        if self._cause not in LOST and self._expired is not None and self._expired():
            self.set("receipt-lost")
        return self._event.is_set()

    def set(self, cause: Cause) -> None:
        """Cancel; the first call runs the callbacks, on the caller's thread."""
        with self._lock:
            if self._cause in LOST or (self._cause is not None and cause not in LOST):
                return
            self._cause = cause
            callbacks = list(self._callbacks.values())
            self._callbacks.clear()
            self._event.set()
        for callback in callbacks:
            _run(callback)

    def raise_if_set(self) -> None:
        """Raises Cancelled."""
        if self.is_set():
            assert self._cause is not None
            raise Cancelled(self._cause)

    def wait(self, timeout_s: float) -> bool:
        """Sleep, but wake when cancelled; true when it is."""
        return self._event.wait(timeout_s) or self.is_set()

    def on_cancel(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Run `callback` once when cancelled (at once when it already is); returns what takes it back.

        The callback must not block: it runs on the heartbeat's or the stopping thread.
        """
        with self._lock:
            if not self._event.is_set():
                key = self._next_id
                self._next_id += 1
                self._callbacks[key] = callback
                return lambda: self._forget(key)
        _run(callback)
        return _nothing

    def _forget(self, key: int) -> None:
        with self._lock:
            self._callbacks.pop(key, None)


def _run(callback: Callable[[], None]) -> None:
    try:
        callback()
    except Exception:  # noqa: BLE001  one socket that fails to close must not keep the others open
        _log.exception("A cancellation callback failed")


def _nothing() -> None:
    """Taking back a callback that has already run."""
