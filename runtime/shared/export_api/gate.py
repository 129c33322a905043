"""What an open circuit does to the rest of the process: polling pauses, and a metric shows it."""

import logging
import threading
from typing import Protocol

from runtime.shared.export_api.circuit import State
from runtime.shared.metrics import Metrics

_LEVEL: dict[State, float] = {"closed": 0.0, "half-open": 0.5, "open": 1.0}
_REASON = "export-api-circuit"

_log = logging.getLogger(__name__)


class Pausable(Protocol):
    """A consumer, as far as this needs it."""

    def pause(self, reason: str) -> None: ...
    def resume(self, reason: str) -> None: ...


class CircuitGate:
    """The circuit's listener. Polling resumes after `reset_s`, so that a message comes that can make the
    trial.
    """

    def __init__(self, metrics: Metrics, *, reset_s: float) -> None:
        self._metrics = metrics
        self._reset_s = reset_s
        self._consumer: Pausable | None = None
        metrics.gauge("CircuitState", _LEVEL["closed"])

    def guard(self, consumer: Pausable) -> None:
        """Pause this consumer while the circuit is open."""
        self._consumer = consumer

    def __call__(self, state: State) -> None:
        self._metrics.gauge("CircuitState", _LEVEL[state])
        _log.warning("The circuit to the Export API is %s", state)
        consumer = self._consumer
        if consumer is None:
            return
        if state == "open":
            consumer.pause(_REASON)
            timer = threading.Timer(self._reset_s, consumer.resume, (_REASON,))
            timer.daemon = True
            timer.start()
        elif state == "closed":
            consumer.resume(_REASON)
