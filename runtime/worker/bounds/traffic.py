"""How many bytes all downloads of the process have fetched together."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Counted(Protocol):
    """A download's own count, which only grows."""

    @property
    def total(self) -> int: ...


class Traffic:
    """Thread-safe. Asks the downloads' own counts, so that counting costs them nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended = 0
        self._going: list[Counted] = []

    @contextmanager
    def of(self, download: Counted) -> Iterator[None]:
        """Count the download for the duration of a `with` block, and what it fetched for ever."""
        with self._lock:
            self._going.append(download)
        try:
            yield
        finally:
            with self._lock:
                self._going.remove(download)
                self._ended += download.total

    @property
    def total(self) -> int:
        with self._lock:
            return self._ended + sum(download.total for download in self._going)
