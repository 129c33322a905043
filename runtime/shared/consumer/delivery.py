"""One message in hand, as its handler sees it."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from runtime.shared.consumer.cancellation import Cancellation
from runtime.shared.consumer.outcomes import Outcome


@dataclass(slots=True, eq=False)
class Delivery:
    """A message and the means to keep it, to save progress, and to learn that it is over."""

    body: str
    message_id: str
    receive_count: int
    group_id: str | None
    first_seen: datetime
    """When the work first entered a queue, kept through every hand-over."""
    sent_at: datetime
    """When this very message was sent; a hand-over starts a new one."""
    handovers: int
    """How many fresh messages this work has been through."""
    progress: Mapping[str, Any]
    """What the previous hand-over saved; {} at first."""
    cancellation: Cancellation
    clock: Callable[[], float] = field(repr=False)
    correlation_id: str | None = None
    """Set by the handler once it has read the body; written beside a parked message."""
    saved_progress: dict[str, Any] = field(default_factory=dict, repr=False)
    progressed_at: float = 0.0
    renewals: list[Callable[[], None]] = field(default_factory=list, repr=False)

    def keep_alive(self, renew: Callable[[], None]) -> None:
        """Have `renew` called at every heartbeat of this message, on another thread.

        LeaseLost from it cancels the work with the cause `lease-lost`; other errors are logged and tried
        again at the next heartbeat.
        """
        self.renewals.append(renew)

    def save_progress(self, progress: Mapping[str, Any]) -> None:
        """What a fresh message shall carry if the work is interrupted from now on; must be small and JSON."""
        self.saved_progress = dict(progress)

    def progressed(self) -> None:
        """Something moved (bytes, a page, an entry); without it the slot counts as stuck after the stall
        limit.
        """
        self.progressed_at = self.clock()


Handler = Callable[[Delivery], Outcome]
ParkedHook = Callable[[Delivery, str, str], None]
"""(delivery, reason, error), called before the dead-letter queue is written; LeaseLost from it hands the
message over instead of parking it.
"""
UnitOfWork = Callable[[Delivery], AbstractContextManager[None]]
"""Surrounds the handler and what follows from its outcome; services bind their log context here."""
