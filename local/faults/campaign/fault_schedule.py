"""The Export API's faults over a campaign: seeded random_source, outages on top, and peace at the end."""

import threading
from collections import Counter
from collections.abc import Mapping

from local.export_api.faults import Answer, Fault, Request, SeededFaults


class FaultSchedule:
    """A fault plan for the sample API. `count` says what was done so far."""

    def __init__(self, seed: int, rates: Mapping[str, float]) -> None:
        self._random = SeededFaults(seed, rates)
        self._down = threading.Event()
        self._calm = threading.Event()
        self._refused = Counter[str]()

    def decide(self, request: Request) -> Fault | None:
        if self._calm.is_set():
            return None
        if self._down.is_set():
            self._refused["outage"] += 1
            return Answer(503, "an injected outage", "1")
        return self._random.decide(request)

    def down(self) -> None:
        self._down.set()

    def up(self) -> None:
        self._down.clear()

    def calm(self) -> None:
        self._calm.set()

    @property
    def count(self) -> Counter[str]:
        return Counter({f"api.{kind}": n for kind, n in (self._random.count + self._refused).items()})
