"""Byte budgets: what bounds the process's memory, and its scratch disk, whatever it is asked to do.

An archive takes one grant before its payload moves and keeps all its buffers within it. Whoever holds a grant
never waits for another, so waiting cannot deadlock. More is only ever tried for, and never so much that the
archives still to come would find less than their minimum.
"""

import threading
from collections import deque

from runtime.worker.bounds.scope import Scope


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

    def acquire(self, size: int, scope: Scope, *, generous: int = 0) -> "Grant":
        """A place with `generous` bytes when they are to spare, else wait for `size` (at most the whole
        budget).

        Raises what `scope.check` raises.
        """
        size = min(size, self.total)
        waiter = _Waiter(size)
        with self._lock:
            if not self._waiters and generous > size and self._to_spare(self._places - 1) >= generous:
                return self._take_place(generous)
            if not self._waiters and size <= self._free:
                return self._take_place(size)
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
        return Grant(self, size, places=1)

    def try_acquire(self, size: int) -> "Grant | None":
        """`size` bytes if they are to spare, else None. Never waits."""
        with self._lock:
            if self._waiters or size > self._to_spare(self._places):
                return None
            self._free -= size
        return Grant(self, size, places=0)

    def _to_spare(self, places: int) -> int:
        return self._free - max(places, 0) * self._minimum

    def _take_place(self, size: int) -> "Grant":
        self._free -= size
        self._places -= 1
        return Grant(self, size, places=1)

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
                self._places += 1
            self._serve()

    def _serve(self) -> None:
        while self._waiters and self._waiters[0].size <= self._free:
            waiter = self._waiters.popleft()
            self._free -= waiter.size
            self._places -= 1
            waiter.served = True
            waiter.turn.set()


class _Waiter:
    """A place in the queue; `abort` (from a scope's end) wakes it without serving it."""

    def __init__(self, size: int) -> None:
        self.size = size
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
