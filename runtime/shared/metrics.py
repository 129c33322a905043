"""Metrics as CloudWatch embedded metric format lines on stdout.

Any thread adds values; one owner writes them, on an interval and at the end, through a Powertools provider
of its own (the shared one has class-level state without locks).
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from runtime.shared import logs

Unit = Literal["Count", "Seconds", "Bytes", "None"]
Dimensions = tuple[tuple[str, str], ...]

# An EMF line holds at most 100 values per metric and 100 metrics; staying below keeps the provider from
# printing.
_VALUES_PER_LINE = 99

_log = logging.getLogger(__name__)


class Metrics:
    """Values by name since the last flush; dimensions are the service and the environment."""

    def __init__(self, *, namespace: str, service: str, environment: str, interval_s: float) -> None:
        self._namespace = namespace
        self._dimensions = {"service": service, "environment": environment}
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._values: dict[Dimensions, dict[tuple[str, Unit], list[float]]] = {}
        self._gauges: dict[tuple[str, Unit, Dimensions], float] = {}
        self._asked: list[Callable[[], None]] = []
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, name: str, value: float = 1, unit: Unit = "Count", **dimensions: str) -> None:
        """One observation; counts are summed until the flush, other units keep every value.

        Of `dimensions` the same holds as for a gauge's.
        """
        with self._lock:
            line = self._values.setdefault(tuple(sorted(dimensions.items())), {})
            values = line.setdefault((name, unit), [])
            if unit in {"Count", "Bytes"} and values:
                values[0] += value
            else:
                values.append(value)

    def gauge(self, name: str, value: float, unit: Unit = "None", **dimensions: str) -> None:
        """A level that holds until it is set again.

        Written at every flush, `dimensions` beside the common ones. Each combination of their values is a
        metric of its own, and is paid for.
        """
        with self._lock:
            self._gauges[name, unit, tuple(sorted(dimensions.items()))] = value

    def ask(self, before_flush: Callable[[], None]) -> None:
        """Call it before every flush: it adds what somebody counts anyway, and need not tell each time."""
        self._asked.append(before_flush)

    @contextmanager
    def timer(self, name: str) -> Iterator[None]:
        """Observe how many seconds the block took, however it ended."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.add(name, time.monotonic() - started, "Seconds")

    def start(self) -> None:
        """Become the owner that writes on the interval."""
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what is left and end."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout=2)
        self.flush()

    def flush(self) -> None:
        """Write everything added since the last flush, and every gauge."""
        for before_flush in self._asked:
            before_flush()
        with self._lock:
            lines, self._values = self._values, {}
            for (name, unit, dimensions), level in self._gauges.items():
                lines.setdefault(dimensions, {})[name, unit] = [level]
        for dimensions, values in lines.items():
            self._write_all(values, dimensions)

    def _write_all(self, values: dict[tuple[str, Unit], list[float]], dimensions: Dimensions) -> None:
        while values:
            self._write({key: observed[:_VALUES_PER_LINE] for key, observed in values.items()}, dimensions)
            values = {key: rest for key, observed in values.items() if (rest := observed[_VALUES_PER_LINE:])}

    def _write(self, values: Mapping[tuple[str, Unit], list[float]], dimensions: Dimensions) -> None:
        provider = AmazonCloudWatchEMFProvider(
            metric_set={},
            dimension_set={**self._dimensions, **dict(dimensions)},
            metadata_set={},
            namespace=self._namespace,
        )
        for (name, unit), observed in values.items():
            for value in observed:
                provider.add_metric(name=name, unit=unit, value=value)
        logs.write_line(json.dumps(provider.serialize_metric_set()))

    def _run(self) -> None:
        while not self._stopped.wait(self._interval_s):
            try:
                self.flush()
            except Exception:  # noqa: BLE001  this thread must outlive whatever one turn met
                _log.exception("Writing metrics failed")
