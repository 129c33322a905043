"""Application Auto Scaling's target tracking, as its user guide describes it.

A policy has two alarms on one-minute datapoints: three above the target scale out, fifteen below nine tenths
of it scale in. Both go for the size at which the metric would meet the target. Any policy scales out; all
have to agree to scale in, and the largest of their sizes is taken. A metric without data does neither.
Each policy has a cooldown of its own, in which what its last scale-out added counts as part of the next
(ScaleOutCooldown in the API reference's TargetTrackingScalingPolicyConfiguration).
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
        self._policies = [_Policy(policy) for policy in policies]
        self._least, self._most = least, most
        self._in_again = self._now = 0
        self.desired = least

    def minute(self, metrics: Sequence[float | None]) -> int:
        """Take each policy's newest datapoint (None: no data); the desired count afterwards."""
        for policy, value in zip(self._policies, metrics, strict=True):
            policy.points.append(value)
        self._now += 1
        outward = [(policy, policy.out(self._now, self.desired)) for policy in self._policies]
        if any(size is not None for _, size in outward):
            largest = max(size for _, size in outward if size is not None)
            if largest > self.desired:
                self._out([policy for policy, size in outward if size == largest], largest)
            return self.desired
        inward = [policy.into(self.desired) for policy in self._policies]
        smallest = max((size for size in inward if size is not None), default=self.desired)
        if None not in inward and smallest < self.desired and self._now >= self._in_again:
            self.desired = max(self._least, smallest)
            self._in_again = self._now + max(policy.its.in_cooldown for policy in self._policies)
        return self.desired

    def _out(self, asking: Sequence["_Policy"], size: int) -> None:
        size = min(self._most, size)
        if size == self.desired:
            return
        for policy in asking:
            policy.scaled_out(self._now, self.desired)
        self.desired = size
        # A scale-out ends the wait after a scale-in.
        self._in_again = self._now


class _Policy:
    """One policy's datapoints, and the scale-out of its own that still counts."""

    def __init__(self, its: Tracking) -> None:
        self.its = its
        self.points: deque[float | None] = deque(maxlen=_IN_POINTS)
        self._again = self._base = 0

    def out(self, now: int, desired: int) -> int | None:
        """The size that its upper alarm asks for; None while that is not on.

        In its cooldown what its last scale-out added is part of the next: it reckons from the size before.
        """
        last = list(self.points)[-_OUT_POINTS:]
        newest = self.points[-1]
        if newest is None or len(last) < _OUT_POINTS:
            return None
        if not all(p is not None and p > self.its.target for p in last):
            return None
        base = self._base if now < self._again else desired
        return max(base + 1, math.ceil(base * newest / self.its.target))

    def scaled_out(self, now: int, before: int) -> None:
        """It raised the count, which was `before`. A larger step within the cooldown keeps the first base."""
        if now >= self._again:
            self._base = before
        self._again = now + self.its.out_cooldown

    def into(self, desired: int) -> int | None:
        """The size that its lower alarm asks for; None while that is not on."""
        low, newest = _IN_MARGIN * self.its.target, self.points[-1]
        if newest is None or len(self.points) < _IN_POINTS:
            return None
        if not all(p is not None and p < low for p in self.points):
            return None
        return math.ceil(desired * newest / self.its.target)
