"""The outcomes of a message, as values: a handler returns one of them, or fails and so means `Crashed`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

RETRIES_EXHAUSTED = "retries-exhausted"
CRASH_LOOP = "crash-loop"


@dataclass(frozen=True, slots=True)
class Done:
    """The effect is durable; the message is deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """A transient failure: the work comes back after a pause, and that costs time, not receives.

    Pauses grow with the failures in a row, with full jitter; `at_least_s` is a floor under this one, when the
    other side said how long to wait. A run of failures that has gone on for the consumer's longest time is
    parked as `exhausted`; `exhausted_after_s` shortens that time where waiting longer heals nothing, and
    counts from when nothing but this reason was met: an outage before it is another matter.
    """

    reason: str
    error: str
    at_least_s: float | None = None
    exhausted: str = RETRIES_EXHAUSTED
    exhausted_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Crashed:
    """The handler met what nobody foresaw.

    Like a process that died at work it spends a receive, and the last receive allowed is parked as
    `crash-loop`.
    """

    error: str


@dataclass(frozen=True, slots=True)
class Park:
    """It can never succeed as it is.

    The original body goes to the dead-letter queue, then the source is deleted.
    """

    reason: str
    error: str


@dataclass(frozen=True, slots=True)
class Yield:
    """Nobody's fault: a fresh message with this progress takes over after `delay_s`, at most 900 s.

    The receive count starts again, so waiting for somebody else never ends on the dead-letter queue.
    """

    reason: str
    progress: Mapping[str, Any] = field(default_factory=dict)
    delay_s: float = 0.0


Outcome = Done | Retry | Park | Yield
"""What a handler returns."""
