"""`/livez` and `/readyz` on the container's health port.

Alive means progress, not merely a process: the poll loop and the heartbeat have turned lately, and not every
slot is stuck. Ready means that the service is up and has not begun to stop; what pauses its polling, an open
circuit for example, is named but makes it neither dead nor unready: replacing the task would heal nothing.
"""

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from runtime.shared.consumer.consumer import Ages

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HealthReport:
    """An endpoint's answer."""

    ok: bool
    detail: dict[str, Any]


class Health:
    """Judges the ages against the limits (seconds); `draining` makes the service not ready."""

    def __init__(self, ages: Callable[[], Ages], *, liveness_limit_s: float, stall_limit_s: float) -> None:
        self._ages = ages
        self._liveness_limit_s = liveness_limit_s
        self._stall_limit_s = stall_limit_s
        self._draining = threading.Event()

    def drain(self) -> None:
        self._draining.set()

    def live(self) -> HealthReport:
        ages = self._ages()
        # While draining nothing is polled any more, on purpose.
        polls = self._draining.is_set() or ages.poll_s <= self._liveness_limit_s
        problems = [
            problem
            for problem, found in (
                ("the poll loop does not turn", not polls),
                ("the heartbeat does not turn", ages.heartbeat_s > self._liveness_limit_s),
                ("every slot is stuck", ages.least_stalled_s > self._stall_limit_s),
            )
            if found
        ]
        detail = {
            "poll_age_s": round(ages.poll_s, 3),
            "heartbeat_age_s": round(ages.heartbeat_s, 3),
            "least_stalled_s": round(ages.least_stalled_s, 3),
            "in_hand": ages.in_hand,
            "slots": ages.slots,
        }
        return HealthReport(not problems, {"live": not problems, "problems": problems, **detail})

    def ready(self) -> HealthReport:
        draining = self._draining.is_set()
        paused = list(self._ages().paused)
        return HealthReport(not draining, {"ready": not draining, "draining": draining, "paused": paused})


class HealthServer:
    """Serves the verdicts; `port` is the real one when 0 was asked for."""

    def __init__(self, health: Health, port: int) -> None:
        routes = {"/livez": health.live, "/readyz": health.ready}

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 5

            def do_GET(self) -> None:
                judge = routes.get(self.path.partition("?")[0])
                verdict = judge() if judge else None
                body = json.dumps(verdict.detail if verdict else {"error": "try /livez or /readyz"}).encode()
                self.send_response(404 if verdict is None else 200 if verdict.ok else 503)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the library's name
                _log.debug(format, *args)

        # The container's own network namespace is the boundary; the health check runs inside it.
        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, name="health", daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
