"""Transitions of circuits as log lines, metrics and events, by the one task that made them."""

import logging
import threading
from collections import deque
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ..events import EventBus, EventNotSent, iso
from ..metrics import Metrics
from .state import CircuitRecord, State

_LEVEL: dict[State, float] = {"closed": 0.0, "half-open": 0.5, "open": 1.0}
_MOST_PENDING = 100

_log = logging.getLogger(__name__)


class Announcer:
    """Thread-safe.

    Events are sent from the keeper's thread; a crash before that loses them, but no log line.
    """

    def __init__(self, metrics: Metrics, bus: EventBus) -> None:
        self._metrics = metrics
        self._bus = bus
        self._lock = threading.Lock()
        self._pending: deque[tuple[str, dict[str, Any]]] = deque(maxlen=_MOST_PENDING)
        self._shown: set[str] = set()
        self.show({})

    def changed(self, dependency: str, before: CircuitRecord | None, after: CircuitRecord | None) -> None:
        """This process has taken a step."""
        record = after or before
        assert record is not None
        state: State = after.state if after else "closed"
        _log.warning("The circuit of %s is %s: %s", dependency, state, record.reason)
        self._metrics.add("CircuitChanges")
        detail = {
            "dependency": dependency,
            "state": state,
            "previous": before.state if before else "closed",
            "reason": record.reason,
            "since": iso(record.since),
            "failed_probes": record.failed_probes,
        }
        with self._lock:
            self._pending.append((f"{record.opening}:{state}:{record.probe}:{record.failed_probes}", detail))

    def show(self, view: Mapping[str, CircuitRecord]) -> None:
        """Set the levels: one over all dependencies, and one for each kind, not for each host."""
        levels = dict.fromkeys(self._shown, 0.0)
        for dependency, record in view.items():
            kind = dependency.partition(":")[0]
            levels[kind] = max(levels.get(kind, 0.0), _LEVEL[record.state])
        self._shown.update(levels)
        self._metrics.gauge("CircuitState", max(levels.values(), default=0.0))
        for kind, level in levels.items():
            self._metrics.gauge("CircuitState", level, dependency=kind)

    def send_pending(self) -> None:
        """Send what has not been; what fails waits for the next time, in order."""
        while True:
            with self._lock:
                if not self._pending:
                    return
                identity, detail = self._pending[0]
            try:
                self._bus.put("Export Circuit Changed", identity, detail)
            except (EventNotSent, ClientError, BotoCoreError) as error:
                _log.warning("An event about a circuit could not be sent yet: %s", error)
                return
            with self._lock:
                if self._pending and self._pending[0][0] == identity:
                    self._pending.popleft()
