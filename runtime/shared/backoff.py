"""Trying again inside one piece of work: how often, and with what pauses. The whole runtime waits this way.

A pause holds the caller's slot, so one that the other side wants longer than `longest_s` is not made here:
the message goes back to its queue with it instead.
"""

import random
from collections.abc import Callable

from .consumer.backoff import full_jitter

Wait = Callable[[float], object]
"""Makes a pause of so many seconds; true when what waits has been cancelled."""


class Backoff:
    """Counts the failures in a row of one operation, on one thread.

    `wait(seconds)` makes the pauses, so that whatever ends the caller's work ends them too: a scope's `wait`,
    which raises then, a cancellation's, which answers true, or `time.sleep` where nothing can.
    """

    def __init__(
        self,
        wait: Wait,
        *,
        attempts: int,
        base_s: float,
        max_s: float,
        longest_s: float | None = None,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        if attempts < 1 or base_s < 0 or max_s < base_s:
            raise ValueError(f"no back-off: {attempts} attempts, pauses from {base_s} to {max_s} s")
        self._wait = wait
        self._attempts = attempts
        self._base_s = base_s
        self._max_s = max_s
        self._longest_s = max_s if longest_s is None else longest_s
        self._uniform = uniform
        self.failures = 0

    def failed(self, at_least_s: float | None = None) -> bool:
        """Count a failure and pause: true when it is time to try again.

        False means giving up: there has been enough of it, the other side wants a longer pause than may be
        made here, or the wait was cancelled.

        `at_least_s` is what the other side asked for (`Retry-After`). Raises what `wait` raises.
        """
        self.failures += 1
        if self.failures >= self._attempts or (at_least_s or 0.0) > self._longest_s:
            return False
        pause_s = full_jitter(
            self.failures,
            base_s=self._base_s,
            max_s=self._max_s,
            at_least_s=at_least_s,
            uniform=self._uniform,
        )
        return not self._wait(pause_s)

    def reset(self) -> None:
        """Something worth the name has moved: the next failure is the first again."""
        self.failures = 0
