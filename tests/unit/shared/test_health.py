"""Alive means progress; the endpoints and the health check say so over HTTP."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from runtime.shared import healthcheck
from runtime.shared.consumer.consumer import Ages
from runtime.shared.health import Health, HealthServer


def ages(**changes: float) -> Ages:
    values: dict[str, Any] = {"poll_s": 1, "heartbeat_s": 1, "in_hand": 0, "slots": 4, "least_stalled_s": 0}
    return Ages(**(values | changes))


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (ages(poll_s=11), "the poll loop does not turn"),
        (ages(heartbeat_s=11), "the heartbeat does not turn"),
        (ages(least_stalled_s=101), "every slot is stuck"),
    ],
)
def test_liveness_fails_without_progress(found: Ages, problem: str) -> None:
    assert Health(lambda: found, liveness_limit_s=10, stall_limit_s=100).live().detail["problems"] == [
        problem
    ]


def test_the_endpoints_and_the_health_check(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    current = ages()
    health = Health(lambda: current, liveness_limit_s=10, stall_limit_s=100)
    server = HealthServer(health, 0)
    server.start()
    monkeypatch.setenv("HEALTH_PORT", str(server.port))

    def status(path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as answer:
                assert "poll_age_s" in json.load(answer) or path != "/livez"
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    assert [status(path) for path in ("/livez", "/readyz", "/other")] == [200, 200, 404]
    assert healthcheck.main() == 0
    health.drain()
    current = ages(poll_s=99)
    assert [status("/livez"), status("/readyz")] == [200, 503]
    current = ages(heartbeat_s=99)
    assert healthcheck.main() == 1
    assert "the heartbeat does not turn" in capsys.readouterr().out
    server.stop()
    assert healthcheck.main() == 1
