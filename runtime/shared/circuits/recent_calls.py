"""The recent calls of one process to one dependency. Not thread-safe: its owner locks."""

from collections import deque

from .config import CircuitConfig

_MOST_CALLS = 1_000


class RecentCalls:
    """The calls within the window, and the failures in a row."""

    def __init__(self, config: CircuitConfig) -> None:
        self._config = config
        self._calls: deque[tuple[float, bool]] = deque(maxlen=_MOST_CALLS)
        self._in_a_row = 0

    def succeeded(self, now: float) -> None:
        self._in_a_row = 0
        self._calls.append((now, True))

    def failed(self, now: float) -> str | None:
        """Why the circuit is to open now, if it is."""
        self._in_a_row += 1
        self._calls.append((now, False))
        while self._calls[0][0] <= now - self._config.window_s:
            self._calls.popleft()
        if self._in_a_row >= self._config.failures:
            return f"{self._in_a_row} failures in a row"
        failed = sum(not success for _, success in self._calls)
        calls = len(self._calls)
        if calls >= self._config.minimum_calls and failed >= self._config.failure_rate * calls:
            return f"{failed} of {calls} calls failed within {self._config.window_s:g} s"
        return None

    def clear(self) -> None:
        """Forget the calls from before the circuit opened: they say nothing of those after it has closed."""
        self._calls.clear()
        self._in_a_row = 0
