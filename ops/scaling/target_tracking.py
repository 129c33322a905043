"""Application Auto Scaling's target tracking, as its user guide describes it.

A policy has two alarms on one-minute datapoints: three above the target scale out, fifteen below nine tenths
of it scale in. Both go for the size at which the metric would meet the target. Any policy scales out; all
have to agree to scale in, and the largest of their sizes is taken. A metric without data does neither.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

_OUT_POINTS = 3
_IN_POINTS = 15
# Scale-in waits for a distance from the target, so that the two alarms do not take turns.
_IN_MARGIN = 0.9


@dataclass(frozen=True, kw_only=True)
class Tracking:
    """One policy. Cooldowns in minutes: how long after a step the next one in that direction waits."""

    target: float
    out_cooldown: int
    in_cooldown: int


class TargetTracking:
    """The desired count of one scalable target, minute by minute."""

    def __init__(self, policies: Sequence[Tracking], *, least: int, most: int) -> None:
        self._policies = policies
        self._least, self._most = least, most
        self._points: list[deque[float | None]] = [deque(maxlen=_IN_POINTS) for _ in policies]
        self._out_again = self._in_again = self._now = 0
        self.desired = least

    def minute(self, metrics: Sequence[float | None]) -> int:
        """Take each policy's newest datapoint (None: no data); the desired count afterwards."""
        for points, value in zip(self._points, metrics, strict=True):
            points.append(value)
        self._now += 1
        wanted = [
            self._size(policy, points) for policy, points in zip(self._policies, self._points, strict=True)
        ]
        out = max((size for size in wanted if size is not None and size > self.desired), default=None)
        if out is not None:
            if self._now >= self._out_again:
                self._step(out)
        elif all(size is not None for size in wanted) and self._now >= self._in_again:
            self._step(max(size for size in wanted if size is not None))
        return self.desired

    def _size(self, policy: Tracking, points: deque[float | None]) -> int | None:
        """The size that a policy in alarm asks for; None while neither of its alarms is on."""
        newest = points[-1]
        last = list(points)[-_OUT_POINTS:]
        if newest is None:
            return None
        if len(last) == _OUT_POINTS and all(p is not None and p > policy.target for p in last):
            return max(self.desired + 1, math.ceil(self.desired * newest / policy.target))
        low = _IN_MARGIN * policy.target
        if len(points) == _IN_POINTS and all(p is not None and p < low for p in points):
            return math.ceil(self.desired * newest / policy.target)
        return None

    def _step(self, size: int) -> None:
        size = min(self._most, max(self._least, size))
        if size > self.desired:
            self._out_again = self._now + max(policy.out_cooldown for policy in self._policies)
            # A scale-out ends the wait after a scale-in.
            self._in_again = self._now
        elif size < self.desired:
            self._in_again = self._now + max(policy.in_cooldown for policy in self._policies)
        self.desired = size
