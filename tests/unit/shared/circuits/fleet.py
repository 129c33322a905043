"""A fleet in one process: circuits of several tasks over one store, on a clock that moves when told to."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import EndpointConnectionError

from runtime.shared.circuits import CircuitConfig, CircuitOpen, Circuits, Keeper
from runtime.shared.circuits.announcing import Announcer
from runtime.shared.circuits.state import CircuitRecord
from runtime.shared.events import EventBus
from runtime.shared.metrics import Metrics
from tests.unit.conftest import Clock


class Down(Exception):
    """The dependency is in trouble."""


class Missing(Exception):
    """It is well, and does not know what was asked for."""


class Store:
    """Swaps as a conditional write does; can be taken away."""

    def __init__(self) -> None:
        self.records: dict[str, CircuitRecord] = {}
        self.away = False
        self.swaps = 0
        self._lock = threading.Lock()

    def _reach(self) -> None:
        if self.away:
            raise EndpointConnectionError(endpoint_url="https://dynamodb")

    def read(self) -> Mapping[str, CircuitRecord]:
        self._reach()
        with self._lock:
            return dict(self.records)

    def swap(self, dependency: str, before: CircuitRecord | None, after: CircuitRecord | None) -> bool:
        self._reach()
        with self._lock:
            self.swaps += 1
            if self.records.get(dependency) != before:
                return False
            if after is None:
                del self.records[dependency]
            else:
                self.records[dependency] = after
            return True


class Events:
    """EventBridge, as far as the bus needs it."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.away = False

    def put_events(self, *, Entries: list[dict[str, Any]]) -> Any:  # noqa: N803
        if self.away:
            return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException"}]}
        self.sent += Entries
        return {"FailedEntryCount": 0}


class Polling:
    """A consumer, as far as the keeper needs it."""

    def __init__(self) -> None:
        self.paused = False

    def pause(self, _reason: str) -> None:
        self.paused = True

    def resume(self, _reason: str) -> None:
        self.paused = False


class Task:
    """One task of the fleet, with calls to `api` and a keeper that pauses for it."""

    def __init__(
        self, store: Store, clock: Clock, probe: Callable[[str], None], config: CircuitConfig | None = None
    ) -> None:
        self.events = Events()
        self.metrics = Metrics(namespace="n", service="s", environment="e", interval_s=60)
        announcer = Announcer(self.metrics, EventBus(self.events, "bus"))  # type: ignore[arg-type]
        self.circuits = Circuits(config or CircuitConfig(), store, announcer, clock=clock)
        self.circuits.add("api", counts=lambda error: isinstance(error, Down), probe=probe)
        self.polling = Polling()
        self.keeper = Keeper(self.circuits, self.polling, lambda away: "api" in away)

    def call(self, error: Exception | None = None) -> type[Exception] | None:
        """One call that meets `error`; returns the kind of what the caller sees."""
        try:
            with self.circuits.call("api"):
                if error is not None:
                    raise error
        except (Down, Missing, CircuitOpen) as seen:
            return type(seen)
        return None


def unshared(failures: int = 100) -> Circuits:
    """Circuits of one process alone."""
    config = CircuitConfig(failures=failures, minimum_calls=max(failures, 10))
    metrics = Metrics(namespace="n", service="s", environment="e", interval_s=60)
    announcer = Announcer(metrics, EventBus(Events(), "bus"))  # type: ignore[arg-type]
    return Circuits(config, Store(), announcer)
