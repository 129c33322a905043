"""A service from start to exit: signals, health, and the order of a graceful stop.

First SIGTERM: not ready → no new work → what runs is cancelled and handed over → deletes, metrics and logs
flushed → exit 0. A second one exits at once. What is cut off by that, or by SIGKILL, becomes visible again
by itself.
"""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from runtime.shared import logs, tracing
from runtime.shared.consumer import Consumer
from runtime.shared.health import Health, HealthServer
from runtime.shared.metrics import Metrics
from runtime.shared.protection import TaskProtection
from runtime.shared.settings import CommonSettings

_log = logging.getLogger(__name__)


class StopSignal:
    """Turns the first SIGTERM or SIGINT into an event and the second into an immediate exit."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.name = ""

    def install(self) -> None:
        """Main thread only. Do it before anything slow, so that a signal during start-up is not lost."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self.event.is_set():
            os._exit(128 + number)
        self.name = signal.Signals(number).name
        self.event.set()


def serve(
    settings: CommonSettings,
    *,
    consumer: Consumer,
    metrics: Metrics,
    protection: TaskProtection,
    stop: StopSignal,
    close: Callable[[], None] = lambda: None,
) -> int:
    """Run until told to stop; returns the exit code. `close` ends what the service itself holds open."""
    health = Health(
        consumer.ages, liveness_limit_s=settings.liveness_limit_s, stall_limit_s=settings.stall_limit_s
    )
    server = HealthServer(health, settings.health_port)
    server.start()
    metrics.start()
    protection.start()
    consumer.start()
    _log.info("Started with %d slots; health on port %d", settings.slots, server.port)
    stop.event.wait()

    health.drain()
    _log.info("Stopping (%s)", stop.name)
    clean = consumer.stop(settings.stop_timeout_s - settings.stop_margin_s)
    protection.stop()
    close()
    tracing.stop()
    metrics.stop()
    server.stop()
    _log.info(
        "Stopped, %s",
        "nothing in hand" if clean else "what was in hand comes back by its visibility time-out",
    )
    return 0


def exit_now(code: int) -> NoReturn:
    """End the process after flushing, whatever threads are still waiting on sockets."""
    # A normal exit would join worker pools whose threads may be stuck in a call that has been given up.
    logs.flush()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
