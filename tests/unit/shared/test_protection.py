"""Scale-in protection is asked for on changes and renewals only, and survives an agent that is silent."""

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from runtime.shared.protection import Agent, TaskProtection, ecs_agent
from tests.unit.conftest import Clock


def protection(agent: Agent, clock: Clock) -> TaskProtection:
    return TaskProtection(agent, minutes=60, clock=clock)


def test_protection_is_told_on_changes_and_renewals_only(clock: Clock) -> None:
    calls: list[Mapping[str, Any]] = []

    def agent(body: Mapping[str, Any]) -> Mapping[str, Any]:
        calls.append(body)
        return {"failure": {"Reason": "DEPLOYMENT_BLOCKED"}} if len(calls) == 2 else {"protection": {}}

    guarded = protection(agent, clock)
    for busy, advance in (
        (False, 0),
        (True, 0),
        (True, 600),
        (True, 1_200),
        (False, 0),
        (False, 9_999),
        (True, 0),
    ):
        clock.advance(advance)
        guarded.set_busy(busy)
        guarded.call_if_due()
    held = {"ProtectionEnabled": True, "ExpiresInMinutes": 60}
    assert calls == [held, held, {"ProtectionEnabled": False}, held]


def test_an_agent_that_does_not_answer_is_survived_and_asked_again(clock: Clock) -> None:
    calls: list[float] = []

    def agent(body: Mapping[str, Any]) -> Mapping[str, Any]:
        calls.append(clock())
        raise ConnectionRefusedError

    guarded = protection(agent, clock)
    guarded.set_busy(True)
    for _ in range(10):
        guarded.call_if_due()
        clock.advance(15)
    assert len(calls) == 3


def test_the_agents_http_answers() -> None:
    answers = [
        (200, b'{"protection": {}}'),
        (400, b'{"failure": {"Reason": "DEPLOYMENT_BLOCKED"}}'),
        (500, b"[]"),
    ]
    bodies: list[tuple[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            bodies.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            status, body = answers[len(bodies) - 1]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    agent = ecs_agent(f"http://127.0.0.1:{server.server_port}/api/x")
    assert agent is not None
    assert agent({"ProtectionEnabled": True}) == {"protection": {}}
    assert agent({"ProtectionEnabled": False})["failure"]["Reason"] == "DEPLOYMENT_BLOCKED"
    with pytest.raises(OSError, match="500"):
        agent({"ProtectionEnabled": False})
    assert bodies[0] == ("/api/x/task-protection/v1/state", {"ProtectionEnabled": True})
    server.shutdown()
    assert ecs_agent(None) is None
    TaskProtection(None, minutes=60).start()
