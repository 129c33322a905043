"""The scope of a piece of work: one place that says whether to go on, and ends what blocks when not.

Work on an archive runs on several threads and blocks in sockets, waits and back-offs. A scope ends all of it
within about a second, whether the delivery was cancelled from outside or one of the threads failed.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Protocol


class CancellationLike(Protocol):
    """The part of the consumer's Cancellation that the worker needs."""

    def is_set(self) -> bool: ...
    def raise_if_set(self) -> None: ...
    def on_cancel(self, callback: Callable[[], None]) -> Callable[[], None]: ...


class Abortable(Protocol):
    def abort(self) -> None: ...


class Scope:
    """Ends when the delivery is cancelled or `fail` is called; everything tracked is then aborted."""

    def __init__(self, cancellation: CancellationLike) -> None:
        self._cancellation = cancellation
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._error: BaseException | None = None
        self._tracked: set[Abortable] = set()
        self._unregister = cancellation.on_cancel(self._end)

    def fail(self, error: BaseException) -> None:
        """End the scope for this reason; the first one given is what `check` raises."""
        with self._lock:
            if self._error is None and not self._cancellation.is_set():
                self._error = error
        self._end()

    def _end(self) -> None:
        self._ended.set()
        for item in list(self._tracked):
            item.abort()

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def check(self) -> None:
        """Raise Cancelled, or what `fail` was given, if the scope has ended."""
        if self._ended.is_set():
            self._cancellation.raise_if_set()
            if self._error is not None:
                raise self._error

    def wait(self, seconds: float) -> None:
        """Sleep, but raise as `check` does as soon as the scope ends."""
        self._ended.wait(seconds)
        self.check()

    def track(self, item: Abortable) -> None:
        """Have `item.abort()` called when the scope ends (at once, if it has)."""
        # Added, then looked at; `_end` sets, then copies. One of the two sees the other, without a lock for
        # which every request of every thread would queue.
        self._tracked.add(item)
        if self._ended.is_set():
            item.abort()

    def untrack(self, item: Abortable) -> None:
        self._tracked.discard(item)

    def close(self) -> None:
        """Let go of the cancellation; to be called when the archive's work is over."""
        self._unregister()


class _Never:
    """The cancellation of what nothing cancels."""

    def is_set(self) -> bool:
        return False

    def raise_if_set(self) -> None: ...

    def on_cancel(self, callback: Callable[[], None]) -> Callable[[], None]:  # noqa: ARG002
        return lambda: None


def unending() -> Scope:
    """For calls that belong to no piece of work, or are short enough to be waited for."""
    return Scope(_Never())


@contextlib.contextmanager
def scope_of(cancellation: CancellationLike) -> Iterator[Scope]:
    """A scope for the duration of a `with` block."""
    scope = Scope(cancellation)
    try:
        yield scope
    finally:
        scope.close()
