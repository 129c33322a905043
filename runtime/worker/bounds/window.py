"""How much of one archive may be between the network and S3 at a time."""

import threading

from runtime.shared.scope import Scope
from runtime.worker.bounds.budget import ByteBudget, Grant


class Ticket:
    """Bytes in flight; `leave` once, from any thread."""

    __slots__ = ("_extra", "_size", "_window")

    def __init__(self, window: "Window", size: int, extra: Grant | None) -> None:
        self._window = window
        self._size = size
        self._extra = extra

    def leave(self) -> None:
        if self._extra is not None:
            self._extra.release()
        self._window.left(0 if self._extra is not None else self._size)


class Window:
    """Lets in as much as its own grant holds, and more while the process's budget has bytes to spare.

    The first in is always let in: one part larger than the grant must not wait for ever. Nothing inside waits
    for budget, so whoever waits here is certain to be let in.
    """

    def __init__(self, size: int, budget: ByteBudget, scope: Scope) -> None:
        self._size = size
        self._budget = budget
        self._scope = scope
        self._used = 0
        self._inside = 0
        self._moved = threading.Condition()
        scope.track(self)

    def enter(self, size: int, grant: Grant | None = None) -> Ticket:
        """Wait for room, unless the bytes have a grant of their own. Raises what the scope ended with."""
        with self._moved:
            while True:
                self._scope.check()
                if grant is not None:
                    self._inside += 1
                    return Ticket(self, size, grant)
                if self._inside == 0 or self._used + size <= self._size:
                    self._used += size
                    self._inside += 1
                    return Ticket(self, size, None)
                extra = self._budget.try_acquire(size)
                if extra is not None:
                    self._inside += 1
                    return Ticket(self, size, extra)
                self._moved.wait()

    def left(self, size: int) -> None:
        with self._moved:
            self._used -= size
            self._inside -= 1
            self._moved.notify_all()

    def drain(self) -> None:
        """Wait until all have left. Raises what the scope ended with."""
        with self._moved:
            while self._inside:
                self._scope.check()
                self._moved.wait()
        self._scope.check()

    def settle(self) -> None:
        """Wait until all have left, however the scope ended: they end by themselves once it has."""
        with self._moved:
            while self._inside:
                self._moved.wait()

    def abort(self) -> None:
        with self._moved:
            self._moved.notify_all()
