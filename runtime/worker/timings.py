"""Where an archive's time went: seconds of thread time per stage, summed over its threads."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Timings:
    """Stages overlap, so they add up to more than the time that passed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: dict[str, float] = defaultdict(float)
        self._started = time.monotonic()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of a `with` block to a stage."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.add(name, time.monotonic() - started)

    def add(self, name: str, seconds: float) -> None:
        with self._lock:
            self._seconds[name] += seconds

    def report(self) -> dict[str, float]:
        """Seconds per stage, and "total_s": the time that has passed."""
        with self._lock:
            stages = {f"{name}_s": round(seconds, 3) for name, seconds in sorted(self._seconds.items())}
        return {**stages, "total_s": round(time.monotonic() - self._started, 3)}
