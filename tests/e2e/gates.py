"""Faults of the sample Export API that a test steers: requests held until it says go on."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from local.export_api.faults import Fault, Kind, Request, Script

_LONGEST_HOLD_S = 60


@dataclass
class Gate:
    """Requests of one kind for one job wait here, after the first `after` of them have passed."""

    kind: Kind
    job_id: str
    after: int
    arrived: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)


class GatedFaults(Script):
    """A script of faults, and gates. What is held is not broken: it is answered when the gate opens."""

    def __init__(self) -> None:
        super().__init__()
        self._gates: list[Gate] = []
        self._gates_lock = threading.Lock()

    @contextmanager
    def hold(self, kind: Kind, job_id: str, *, after: int = 0) -> Iterator[Gate]:
        """Hold such requests; wait for `gate.arrived`, and the gate opens at the end of the block."""
        gate = Gate(kind, job_id, after)
        with self._gates_lock:
            self._gates.append(gate)
        try:
            yield gate
        finally:
            with self._gates_lock:
                self._gates.remove(gate)
            gate.opened.set()

    def decide(self, request: Request) -> Fault | None:
        gate = self._gate_for(request)
        if gate is not None:
            gate.arrived.set()
            gate.opened.wait(_LONGEST_HOLD_S)
        return super().decide(request)

    def _gate_for(self, request: Request) -> Gate | None:
        with self._gates_lock:
            for gate in self._gates:
                if (gate.kind, gate.job_id) == (request.kind, request.job_id):
                    if gate.after == 0:
                        return gate
                    gate.after -= 1
        return None
