"""A worker that is no longer wanted: it takes nothing new, hands over what is cheap, and finishes the rest.

While something in hand protects it, it looks at its service; without that ECS may stop it whenever it likes.
Once the rest is finished the protection ends, and ECS stops it.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from runtime.shared.consumer import Admission, Delivery
from runtime.shared.leaving import Leaving, ServiceView
from runtime.shared.protection import TaskProtection

_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Retirement:
    """The consumer's admission, in front of `head_room`; `let_go` is the consumer's."""

    leaving: Leaving
    protection: TaskProtection
    head_room: Admission
    let_go: Callable[[Callable[[Delivery], bool]], None] = field(default=lambda _which: None)

    def __call__(self, in_use: int) -> int:
        """How many more may be taken."""
        return 0 if self.leaving.unwanted else self.head_room(in_use)

    def seen(self, view: ServiceView, now_s: float) -> None:
        """The service stands like this."""
        self._decided(self.leaving.unwanted, self.leaving.seen(view, now_s))

    def answered(self, failure: str | None) -> None:
        """The agent answered a request for protection; None: it granted it."""
        self._decided(self.leaving.unwanted, self.leaving.answered(failure))

    def _decided(self, before: bool, unwanted: bool) -> None:
        if unwanted != before:
            _log.info("This worker is one too many and leaves" if unwanted else "This worker is wanted again")
        if unwanted:
            self.let_go(lambda delivery: not self.protection.holds(delivery.cancellation))
