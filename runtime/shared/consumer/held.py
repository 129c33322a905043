"""A message while it is in hand: its receipt, how long that is good for, and who may settle it."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from .delivery import Delivery
from .queues import SourceQueue


class Held:
    """Times are the consumer's monotonic clock, which goes on while the process is frozen."""

    def __init__(
        self,
        queue: SourceQueue,
        message: Mapping[str, Any],
        *,
        received_at: float,
        visibility_s: float,
        clock: Callable[[], float],
    ) -> None:
        self.queue = queue
        self.receipt: str = message["ReceiptHandle"]
        self.attributes: Mapping[str, Any] = message.get("MessageAttributes", {})
        self.received_at = received_at
        self.extended_at = received_at
        """When the request that last extended the visibility was sent: never later than SQS counts it."""
        self.delivery: Delivery
        self._visibility_s = visibility_s
        self._clock = clock
        self._settling = threading.Lock()

    def expired(self) -> bool:
        """True when the visibility must have run out, whatever SQS would answer."""
        return self._clock() - self.extended_at > self._visibility_s

    def held_s(self) -> float:
        return self._clock() - self.received_at

    def begin_settling(self) -> bool:
        """True for the one thread that may decide what becomes of the message."""
        return self._settling.acquire(blocking=False)
