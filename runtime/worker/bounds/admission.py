"""How many downloads a worker takes on: as many as it has head-room for, whatever that comes to.

Slow vendors fill a worker with hundreds, fast ones with a few. The limit starts low and grows by steps while
it is reached, while CPU, memory and scratch disk have room, and while each step brings the throughput that so
many more downloads should: once half of that is missing, taking more only lowers what each gets, and the step
is taken back. After a while it is tried again. Nothing that was taken is given up.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

START = 16
_WINDOW_S = 5.0  # the rates of a shorter time say little
_GROWTH = 1.25
_LEAST_STEP = 4
_CPU_FULL = 0.85  # of what the container may use
_CPU_OVER = 0.95
_LEAST_GAIN = 0.5  # of the throughput that a step should bring
_HOLD_S = 60.0
_REACHED = 0.9  # of the limit: now and then one ends


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLoad:
    """The load that the worker carries at one moment; both counters only grow."""

    cpu_s: float
    bytes_fetched: int
    memory_tight: bool
    scratch_tight: bool


@dataclass(kw_only=True)
class HeadRoom:
    """The consumer's admission. Thread-safe; `measure` must not block."""

    ceiling: int
    cores: float
    measure: Callable[[], WorkerLoad]
    clock: Callable[[], float]
    _limit: int = field(init=False)
    _at: float = field(init=False)
    _load: WorkerLoad = field(init=False)
    _before: tuple[int, float] | None = field(default=None, init=False)
    """Downloads and bytes per second before the last step."""
    _held_until: float = field(default=0.0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        self._limit = min(START, self.ceiling)
        self._at, self._load = self.clock(), self.measure()

    @property
    def limit(self) -> int:
        """How many downloads at once are wanted now."""
        return self._limit

    def __call__(self, in_use: int) -> int:
        """How many more may be taken, with so many in hand."""
        with self._lock:
            now = self.clock()
            if now - self._at >= _WINDOW_S:
                load = self.measure()
                self._judge(in_use, now, load)
                self._at, self._load = now, load
            return max(0, self._limit - in_use)

    def _judge(self, in_use: int, now: float, load: WorkerLoad) -> None:
        seconds = now - self._at
        cpu = (load.cpu_s - self._load.cpu_s) / seconds / self.cores
        rate = (load.bytes_fetched - self._load.bytes_fetched) / seconds
        if cpu > _CPU_OVER:
            self._limit = max(1, min(self._limit, in_use - in_use // 10))
            self._before = None
            return
        if self._before is not None and in_use > self._before[0]:
            downloads, rate_before = self._before
            due = rate_before * (1 + _LEAST_GAIN * (in_use / downloads - 1))
            self._before = None
            if rate < due:
                self._limit, self._held_until = max(1, downloads), now + _HOLD_S
                return
        full = cpu > _CPU_FULL or load.memory_tight or load.scratch_tight
        # Fewer in hand: there is no more work. More: a step that was taken back has still to end.
        reached = _REACHED * self._limit <= in_use <= self._limit
        if full or now < self._held_until or not reached:
            return
        if in_use:
            self._before = (in_use, rate)
        self._limit = min(self.ceiling, max(int(self._limit * _GROWTH), self._limit + _LEAST_STEP))
