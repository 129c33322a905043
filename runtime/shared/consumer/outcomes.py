"""The four things that can become of a message, as values a handler returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Done:
    """The effect is durable; the message is deleted."""


@dataclass(frozen=True, slots=True)
class Retry:
    """A transient failure; the message comes back after a back-off and one receive is spent.

    On the last allowed receive the message is parked with the reason `retries-exhausted` instead.
    `delay_s` replaces the computed back-off when the other side said how long to wait.
    """

    reason: str
    error: str
    delay_s: float | None = None


@dataclass(frozen=True, slots=True)
class Park:
    """It can never succeed as it is; the original body goes to the dead-letter queue, then the source is
    deleted.
    """

    reason: str
    error: str


@dataclass(frozen=True, slots=True)
class Yield:
    """Nobody's fault: a fresh message with this progress takes over after `delay_s` (SQS allows at most 900
    s).

    The receive count starts again, so waiting for somebody else never ends on the dead-letter queue.
    """

    reason: str
    progress: Mapping[str, Any] = field(default_factory=dict)
    delay_s: float = 0.0


Outcome = Done | Retry | Park | Yield
