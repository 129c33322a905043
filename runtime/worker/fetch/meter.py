"""Counting what a download moves, and noticing when it hardly moves."""

import threading
import time
from collections.abc import Callable


class ByteMeter:
    """Bytes received for one archive, over all its connections; tells `progressed` as they come."""

    def __init__(self, progressed: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._progressed = progressed
        self._told = 0.0
        self.total = 0

    def add(self, count: int) -> None:
        with self._lock:
            self.total += count
        now = time.monotonic()
        if now - self._told > 1.0:
            self._told = now
            self._progressed()


class Stalled(ConnectionError):
    """Fewer bytes came than the least that counts as alive."""


class StallWatch:
    """Raises Stalled when a window of `window_s` seconds brings less than `min_bytes_per_s` on average."""

    def __init__(self, min_bytes_per_s: float, window_s: float) -> None:
        self._least = min_bytes_per_s * window_s
        self._window_s = window_s
        self._since = time.monotonic()
        self._bytes = 0

    def add(self, count: int) -> None:
        self._bytes += count
        if self._bytes >= self._least:
            self._since, self._bytes = time.monotonic(), 0
        elif (elapsed := time.monotonic() - self._since) > self._window_s:
            raise Stalled(f"{self._bytes} bytes in {elapsed:.0f} s: the connection is as good as dead")

    def pause(self) -> None:
        """Begin the window anew: the time between two reads was ours, not the other side's."""
        self._since = time.monotonic()
        self._bytes = 0
