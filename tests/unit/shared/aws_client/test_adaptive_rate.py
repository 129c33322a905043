"""The shared rate: found under S3's limit, and let go of when nobody needs it."""

import random
from collections import deque

from runtime.shared.aws_client.adaptive_rate import AdaptiveRate
from runtime.shared.consumer.cancellation import Cancellation
from runtime.shared.scope import Scope


class Waits(Scope):
    """A scope whose waiting moves a virtual clock."""

    def __init__(self) -> None:
        super().__init__(Cancellation())
        self.now = 100.0

    def wait(self, seconds: float) -> None:
        self.now += seconds


def test_the_rate_settles_below_what_s3_takes() -> None:
    scope, limit = Waits(), 100
    rate = AdaptiveRate(lambda: scope.now)
    recent: deque[float] = deque()
    refused: list[float] = []
    granted: list[float] = []
    noise = random.Random(3)
    while scope.now < 190:
        rate.wait(scope)
        scope.now += 0.001 * noise.random()
        while recent and recent[0] < scope.now - 1:
            recent.popleft()
        if len(recent) >= limit:
            refused.append(scope.now)
            rate.slow_down()
        else:
            recent.append(scope.now)
            granted.append(scope.now)
    late = [at for at in granted if at > 130]
    assert 50 <= len(late) / 60 <= limit
    assert len([at for at in refused if at > 130]) < len(late) * 0.02


def test_without_slow_down_there_is_no_limit_and_it_ends_again() -> None:
    scope = Waits()
    rate = AdaptiveRate(lambda: scope.now)
    for _ in range(1_000):
        rate.wait(scope)
    assert scope.now == 100.0
    rate.slow_down()
    assert rate.per_s is not None
    scope.now += 200
    rate.wait(scope)
    assert rate.per_s is None


def test_answers_to_what_was_under_way_count_once() -> None:
    scope = Waits()
    rate = AdaptiveRate(lambda: scope.now)
    for _ in range(100):
        rate.wait(scope)
    scope.now += 1
    for _ in range(20):
        rate.slow_down()
    assert rate.per_s is not None
    assert rate.per_s >= 40
