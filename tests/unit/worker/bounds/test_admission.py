"""Head-room on a virtual clock: slow vendors fill a worker, fast ones do not, and steps are taken back."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from runtime.worker.bounds.admission import START, HeadRoom, WorkerLoad

CORES = 2.0


@dataclass
class Worker:
    """A model: each download brings its vendor's rate while the bottleneck allows, and costs CPU per byte."""

    rate: float  # bytes per second of one download, offered
    bottleneck: float = 1e18  # bytes per second of all together
    cpu_per_byte: float = 4e-9
    tight: Callable[[int], bool] = lambda _in_use: False
    now: float = 0.0
    in_use: int = 0
    cpu_s: float = 0.0
    fetched: float = 0.0
    ceiling: int = 512
    head_room: HeadRoom = field(init=False)

    def __post_init__(self) -> None:
        self.head_room = HeadRoom(
            ceiling=self.ceiling, cores=CORES, measure=self.measure, clock=lambda: self.now
        )

    def measure(self) -> WorkerLoad:
        return WorkerLoad(
            cpu_s=self.cpu_s,
            bytes_fetched=int(self.fetched),
            memory_tight=self.tight(self.in_use),
            scratch_tight=False,
        )

    def run(self, seconds: int, backlog: int = 1_000_000) -> None:
        for _ in range(seconds):
            cpu_bound = CORES / self.cpu_per_byte if self.cpu_per_byte else 1e18
            moved = min(self.in_use * self.rate, self.bottleneck, cpu_bound)
            self.now += 1
            self.in_use -= self.in_use > 0 and int(self.now) % 2  # one ends every other second
            self.fetched += moved
            self.cpu_s += moved * self.cpu_per_byte
            self.in_use += min(self.head_room(self.in_use), backlog - self.in_use)


def test_slow_vendors_fill_a_worker_with_hundreds() -> None:
    worker = Worker(rate=0.25e6)
    worker.run(180)
    assert worker.in_use >= 500


@pytest.mark.parametrize(
    ("worker", "most"),
    [
        (Worker(rate=50e6), START + 4),  # the CPU is used up by the first ones
        (Worker(rate=10e6), 60),
        (Worker(rate=1e6, bottleneck=40e6, cpu_per_byte=1e-9), 80),  # the network is: more get less each
        (Worker(rate=0.1e6, tight=lambda in_use: in_use >= 100), 130),
    ],
)
def test_what_has_no_head_room_takes_no_more(worker: Worker, most: int) -> None:
    worker.run(300)
    assert START // 2 <= worker.in_use <= most


def test_a_step_that_brought_nothing_is_tried_again_later() -> None:
    worker = Worker(rate=1e6, bottleneck=30e6, cpu_per_byte=1e-9)
    worker.run(60)
    held = worker.head_room.limit
    worker.bottleneck = 1e18
    worker.run(180)
    assert worker.head_room.limit > 2 * held


def test_without_a_backlog_the_limit_stays_low() -> None:
    worker = Worker(rate=0.1e6)
    worker.run(600, backlog=5)
    assert worker.head_room.limit == START


def test_a_worker_over_its_cpu_takes_nothing_until_some_have_ended() -> None:
    worker = Worker(rate=1e6, in_use=64, cpu_per_byte=0)
    worker.run(30)
    worker.cpu_per_byte = 1e-7
    worker.run(20)
    assert worker.head_room(worker.in_use) == 0
    assert worker.head_room.limit < worker.in_use


def test_the_ceiling_is_kept() -> None:
    worker = Worker(rate=1e3, ceiling=7)
    worker.run(200)
    assert worker.in_use == worker.head_room.limit == 7
