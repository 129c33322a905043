"""How many messages may be in hand, and which queue gets the next free slot.

A queue reserves slots before it polls, so nothing is ever received that cannot start at once. While several
queues wait, free slots go to the one that has had the fewest for its weight (stride scheduling); a queue that
was idle starts level with the others instead of catching up.

The number of slots is a ceiling: an admission, asked at every reservation, may hold the rest back.
"""

import threading
from collections.abc import Callable, Mapping

Admission = Callable[[int], int]
"""How many more messages may be taken now, given how many slots are in use; must not block."""


class SlotPool:
    """Slots shared by named queues, as far as `admission` lets them be used."""

    def __init__(self, slots: int, weights: Mapping[str, int], admission: Admission | None = None) -> None:
        if slots < len(weights):
            raise ValueError(f"{len(weights)} queues need at least as many slots, not {slots}")
        self._slots = self._free = slots
        self._admission = admission
        self._weights = dict(weights)
        self._used = dict.fromkeys(weights, 0.0)
        self._floor = 0.0
        self._waiting: set[str] = set()
        self._closed = False
        self._changed = threading.Condition()

    def reserve(self, queue: str, limit: int, timeout_s: float) -> int:
        """Wait for free slots and take at most `limit`; 0 when none came in time or the pool is closed."""
        with self._changed:
            self._used[queue] = max(self._used[queue], self._floor)
            self._waiting.add(queue)
            try:
                self._changed.wait_for(lambda: self._closed or self._is_next(queue), timeout_s)
                if self._closed or not self._is_next(queue):
                    return 0
                granted = min(limit, self._room())
                self._free -= granted
                self._floor = self._used[queue]
                self._used[queue] += granted / self._weights[queue]
                return granted
            finally:
                self._waiting.discard(queue)
                self._changed.notify_all()

    def refund(self, queue: str, unused: int) -> None:
        """Give back reserved slots for which no message came."""
        with self._changed:
            self._used[queue] -= unused / self._weights[queue]
            self._free += unused
            self._changed.notify_all()

    def release(self) -> None:
        """One message is settled."""
        with self._changed:
            self._free += 1
            self._changed.notify_all()

    @property
    def full(self) -> bool:
        """Whether nothing more may be taken now."""
        with self._changed:
            return self._room() <= 0

    def close(self) -> None:
        """No more reservations; those waiting return at once."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _room(self) -> int:
        if self._free <= 0 or self._admission is None:
            return self._free
        return min(self._free, self._admission(self._slots - self._free))

    def _is_next(self, queue: str) -> bool:
        return self._room() > 0 and queue == min(self._waiting, key=lambda name: (self._used[name], name))
