"""Faults of the sample Export API that a test steers: requests held until it says go on."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from local.export_api.faults import Fault, Kind, Request, Script

_LONGEST_HOLD_S = 60


@dataclass
class Hold:
    """Requests of one kind for one job wait here, after the first `after` of them have passed."""

    kind: Kind
    job_id: str
    after: int
    arrived: threading.Event = field(default_factory=threading.Event)
    lifted: threading.Event = field(default_factory=threading.Event)


class HeldFaults(Script):
    """A script of faults, and holds. What is held is not broken: it is answered when the hold is lifted."""

    def __init__(self) -> None:
        super().__init__()
        self._holds: list[Hold] = []
        self._holds_lock = threading.Lock()
        self.outages: dict[Kind, Fault] = {}
        """What every request of a kind is answered with, for as long as it is here."""

    @contextmanager
    def hold(self, kind: Kind, job_id: str, *, after: int = 0) -> Iterator[Hold]:
        """Hold such requests; wait for `hold.arrived`, and the hold is lifted at the end of the block."""
        hold = Hold(kind, job_id, after)
        with self._holds_lock:
            self._holds.append(hold)
        try:
            yield hold
        finally:
            with self._holds_lock:
                self._holds.remove(hold)
            hold.lifted.set()

    def decide(self, request: Request) -> Fault | None:
        hold = self._hold_for(request)
        if hold is not None:
            hold.arrived.set()
            hold.lifted.wait(_LONGEST_HOLD_S)
        return self.outages.get(request.kind) or super().decide(request)

    def _hold_for(self, request: Request) -> Hold | None:
        with self._holds_lock:
            for hold in self._holds:
                if (hold.kind, hold.job_id) == (request.kind, request.job_id):
                    if hold.after == 0:
                        return hold
                    hold.after -= 1
        return None
