"""The queues of one kind of work: one for all, or one for each priority where the environment has them."""

from collections.abc import Mapping
from dataclasses import dataclass

from runtime.shared.consumer import SourceQueue
from runtime.shared.contracts import Priority

PRIORITIES: tuple[Priority, ...] = ("high", "normal", "low")


@dataclass(frozen=True, kw_only=True)
class PriorityQueues:
    """URLs; an empty one means that this priority travels with the normal ones."""

    normal: str
    high: str = ""
    low: str = ""

    def url_of(self, priority: Priority | None) -> str:
        """Where work of this priority is sent; None is normal."""
        return {"high": self.high, "low": self.low}.get(priority or "normal", "") or self.normal

    def priority_at(self, url: str) -> Priority | None:
        """The priority of work on that queue which does not name its own; None while one queue takes all."""
        named: tuple[Priority, ...] = ("high", "low")
        return next((name for name in named if url and getattr(self, name) == url), None)

    def sources(self, dlqs: "PriorityQueues", weights: Mapping[Priority, int]) -> list[SourceQueue]:
        """The queues to consume from, each with its share of the slots, so that low work goes on too."""
        return [
            SourceQueue(url, getattr(dlqs, name), weights[name])
            for name in PRIORITIES
            if (url := getattr(self, name))
        ]
