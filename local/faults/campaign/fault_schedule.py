"""The Export API's faults over a campaign: seeded ones, outages on top, and peace at the end."""

import random
import threading
from collections import Counter
from collections.abc import Mapping

from local.export_api.faults import Fault, Hang, OtherNode, Request, SeededFaults, WrongAnswer

# What a client calls, and the requests that are meant.
API_DEPENDENCIES: Mapping[str, frozenset[str]] = {
    "status": frozenset({"status"}),
    "listing": frozenset({"files", "file"}),
    "downloads": frozenset({"download"}),
}
_EVERYTHING = frozenset().union(*API_DEPENDENCIES.values())
# Longer than any client here waits.
_HANG_S = 30.0


class FaultSchedule:
    """A fault plan for the sample API. `count` says what was done so far.

    nodes: from how many nodes with validators of their own a file (`job/file`) comes, where not from one.
    """

    def __init__(self, seed: int, rates: Mapping[str, float], nodes: Mapping[str, int] | None = None) -> None:
        self._seeded = SeededFaults(seed=seed, rates=rates)
        self._nodes = nodes or {}
        self._node = random.Random(f"nodes/{seed}")
        self._down: list[tuple[frozenset[str], Fault]] = []
        self._calm = threading.Event()
        self._done = Counter[str]()
        self._lock = threading.Lock()

    def decide(self, request: Request) -> Fault | None:
        if not self._calm.is_set():
            with self._lock:
                outage = next((fault for kinds, fault in self._down if request.kind in kinds), None)
                if outage:
                    self._done[f"outage.{request.kind}"] += 1
                    return outage
            if fault := self._seeded.decide(request):
                return fault
        return self._other_node(request)

    def _other_node(self, request: Request) -> Fault | None:
        """Not a fault that ends: such servers are like that."""
        nodes = self._nodes.get(f"{request.job_id}/{request.file_id}", 1)
        if request.kind != "download" or nodes == 1:
            return None
        with self._lock:
            self._done["other-node"] += 1
            return OtherNode(self._node.randrange(nodes))

    def down(self, dependency: str = "", *, hangs: bool = False) -> None:
        """No request for this dependency (without a name: for any) is answered, or each with 503."""
        kinds = API_DEPENDENCIES[dependency] if dependency else _EVERYTHING
        fault = Hang(_HANG_S) if hangs else WrongAnswer(503, "an injected outage", "1")
        with self._lock:
            self._down.append((kinds, fault))

    def up(self, dependency: str = "") -> None:
        kinds = API_DEPENDENCIES[dependency] if dependency else _EVERYTHING
        with self._lock:
            self._down = [outage for outage in self._down if outage[0] != kinds]

    def calm(self) -> None:
        self._calm.set()

    @property
    def count(self) -> Counter[str]:
        return Counter({f"api.{kind}": n for kind, n in (self._seeded.count + self._done).items()})
