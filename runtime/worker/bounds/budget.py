"""Byte budgets: what bounds the process's memory, and its scratch disk, whatever it is asked to do.

An archive takes one small grant before its payload moves, and progresses within it. More is only tried for,
and never so much that the archives still to come would find less than their minimum. The one exception is a
part that has to be gathered whole: its thread waits holding nothing but the small grant, which leaves half of
the budget to parts, and those end by themselves. So waiting cannot deadlock.
"""

import threading
from collections import deque

from runtime.shared.scope import Scope

_TIGHT = 0.05


class ByteBudget:
    """A number of bytes shared by the process. Waiters are served in the order they came.

    `places` times `minimum` bytes are kept from `try_acquire`, one minimum less for each grant that `acquire`
    has given and that is still held.
    """

    def __init__(self, total: int, *, places: int = 0, minimum: int = 0) -> None:
        self.total = total
        self._free = total
        self._minimum = minimum
        self._places = places
        self._lock = threading.Lock()
        self._waiters: deque[_Waiter] = deque()

    @property
    def in_use(self) -> int:
        return self.total - self._free

    @property
    def tight(self) -> bool:
        """Whether somebody waits, or next to nothing is left."""
        return bool(self._waiters) or self._free < self.total * _TIGHT

    def acquire(self, size: int, scope: Scope, *, places: int = 1) -> "Grant":
        """Wait for `size` bytes (at most the whole budget), which take up so many of the places.

        Raises what `scope.check` raises.
        """
        size = min(size, self.total)
        waiter = _Waiter(size, places)
        with self._lock:
            if not self._waiters and size <= self._free:
                self._take(waiter)
                return Grant(self, size, places=places)
            self._waiters.append(waiter)
        scope.track(waiter)
        try:
            waiter.turn.wait()
            scope.check()
        except BaseException:
            self._withdraw(waiter)
            raise
        finally:
            scope.untrack(waiter)
        return Grant(self, size, places=places)

    def try_acquire(self, size: int) -> "Grant | None":
        """`size` bytes if they are to spare, else None. Never waits."""
        with self._lock:
            spare = self._free - max(self._places, 0) * self._minimum
            if self._waiters or size > spare:
                return None
            self._free -= size
        return Grant(self, size, places=0)

    def _take(self, waiter: "_Waiter") -> None:
        self._free -= waiter.size
        self._places -= waiter.places

    def give_back(self, size: int, places: int) -> None:
        with self._lock:
            self._free += size
            self._places += places
            self._serve()

    def _withdraw(self, waiter: "_Waiter") -> None:
        with self._lock:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            elif waiter.served:
                self._free += waiter.size
                self._places += waiter.places
            self._serve()

    def _serve(self) -> None:
        while self._waiters and self._waiters[0].size <= self._free:
            waiter = self._waiters.popleft()
            self._take(waiter)
            waiter.served = True
            waiter.turn.set()


class _Waiter:
    """A place in the queue; `abort` (from a scope's end) wakes it without serving it."""

    def __init__(self, size: int, places: int) -> None:
        self.size = size
        self.places = places
        self.served = False
        self.turn = threading.Event()

    def abort(self) -> None:
        self.turn.set()


class Grant:
    """Bytes taken from a budget; given back once, by `release` or the end of a `with` block."""

    def __init__(self, budget: ByteBudget, size: int, *, places: int) -> None:
        self._budget = budget
        self._places = places
        self.size = size

    def release(self) -> None:
        size, self.size = self.size, 0
        if size:
            self._budget.give_back(size, self._places)

    def __enter__(self) -> "Grant":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
