"""One message in hand, as its handler sees it."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .cancellation import Cancellation
from .failures import FailureRun
from .lineage import Lineage
from .outcomes import Outcome, Retry


@dataclass(slots=True, eq=False, kw_only=True)
class Delivery:
    """A message and the means to keep it, to save progress, and to learn that it is over."""

    body: str
    message_id: str
    receive_count: int
    """How often it was received, by this or another process, without an end that anybody decided on."""
    group_id: str | None
    first_seen: datetime
    """When the work first entered a queue, kept through every hand-over."""
    sent_at: datetime
    """When this very message was sent; a hand-over starts a new one."""
    handovers: int
    """How many fresh messages this work has been through."""
    lineage: Lineage
    """Which message this is in place of."""
    progress: Mapping[str, Any]
    """What the previous hand-over saved; {} at first."""
    cancellation: Cancellation
    clock: Callable[[], float] = field(repr=False)
    failures: FailureRun | None = None
    """The transient failures that led here, as the message tells them."""
    queue_url: str = ""
    """Where it was received."""
    trace: Mapping[str, str] = field(default_factory=dict)
    """The W3C trace context that it brought."""
    onward_trace: Mapping[str, str] = field(default_factory=dict)
    """What a copy of it carries beside that; the service sets it."""
    correlation_id: str | None = None
    """Set by the handler once it has read the body; written beside a parked message."""
    worked_on: bool = False
    """Set by the handler once it holds the work: a copy made from now on takes this message's place."""
    saved_progress: dict[str, Any] = field(default_factory=dict, repr=False)
    has_advanced: bool = False
    progressed_at: float = 0.0
    renewals: list[Callable[[], None]] = field(default_factory=list, repr=False)

    def keep_alive(self, renew: Callable[[], None]) -> None:
        """Have `renew` called at every heartbeat of this message, on another thread.

        LeaseLost from it cancels the work with the cause `lease-lost`; other errors are logged and tried
        again at the next heartbeat.
        """
        self.renewals.append(renew)

    def save_progress(self, progress: Mapping[str, Any]) -> None:
        """Have a fresh message carry this if the work is interrupted from now on; small, and JSON."""
        self.saved_progress = dict(progress)
        self.has_advanced = True

    def advanced(self) -> None:
        """Something lasting was achieved: a run of failures before it is over."""
        self.has_advanced = True
        self.progressed()

    def progressed(self) -> None:
        """Something moved (bytes, a page, an entry).

        Without it the slot counts as stuck after the stall limit.
        """
        self.progressed_at = self.clock()

    def failed(self, reason: str, now: datetime) -> FailureRun:
        """The message's run of failures with one more, or a new one when there was progress before it."""
        if self.failures is None or self.has_advanced:
            return FailureRun(now, 1, reason)
        return FailureRun(self.failures.since, self.failures.count + 1, self.failures.reason)


Handler = Callable[[Delivery], Outcome]
ParkedHook = Callable[[Delivery, str, str], None]
"""(delivery, reason, error), called before the dead-letter queue is written; LeaseLost from it hands the
message over instead of parking it.
"""
RetryHook = Callable[[Delivery, Retry, FailureRun], FailureRun]
"""(delivery, outcome, the run as the message knows it) → the run as the service knows it. When it fails, the
message's own word is used for the pause, and nothing is parked on it.
"""
UnitOfWork = Callable[[Delivery], AbstractContextManager[None]]
"""Surrounds the handler and what follows from its outcome; services bind their log context here."""
