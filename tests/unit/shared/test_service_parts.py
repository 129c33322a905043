"""Settings, logs, metrics, health, protection, events: what surrounds the work."""

import json
import logging
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.orchestrator.settings import OrchestratorSettings
from runtime.shared import healthcheck, logs, settings_schema
from runtime.shared.consumer.consumer import Ages
from runtime.shared.events import EventBus, EventNotSent, event_id
from runtime.shared.health import Health, HealthServer
from runtime.shared.ledger import JobCount, Ledger, WorkUnit
from runtime.shared.metrics import Metrics
from runtime.shared.protection import Agent, TaskProtection, ecs_agent
from runtime.shared.reporting import JobReporter
from runtime.shared.settings import load
from tests.unit.conftest import Aws, Clock, until

REQUIRED = {
    "ENVIRONMENT": "dev",
    "LEDGER_TABLE_NAME": "ledger",
    "DOWNLOAD_TASKS_QUEUE_URL": "https://sqs/tasks",
    "EXPORT_API_BASE_URL": "https://api.example/",
    "EXPORT_API_SECRET_ARN": "arn",
    "EXPORT_JOBS_QUEUE_URL": "https://sqs/jobs",
    "EXPORT_JOBS_DLQ_URL": "https://sqs/jobs-dlq",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in REQUIRED.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        load(OrchestratorSettings)
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_settings_come_from_the_environment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SLOTS", "")
    loaded = load(OrchestratorSettings)
    assert (loaded.slots, loaded.export_api_base_url) == (8, "https://api.example")


def test_every_bad_variable_is_named(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.delenv("LEDGER_TABLE_NAME")
    environment.setenv("EXPORT_JOBS_QUEUE_URL", "queue?token=secret")
    environment.setenv("SLOTS", "many")
    environment.setenv("SERVICE_MODE", "worker")
    text = refused(capsys)
    assert "LEDGER_TABLE_NAME is not set" in text
    for name in ("EXPORT_JOBS_QUEUE_URL", "SLOTS", "SERVICE_MODE"):
        assert f"{name}: " in text
    assert "secret" not in text


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"HEARTBEAT_INTERVAL_S": "200"}, "HEARTBEAT_INTERVAL_S"),
        ({"STOP_MARGIN_S": "200"}, "STOP_MARGIN_S"),
        ({"LIVENESS_LIMIT_S": "5"}, "LIVENESS_LIMIT_S"),
        ({"VISIBILITY_TIMEOUT_S": "43200"}, "VISIBILITY_TIMEOUT_S"),
        ({"POLL_WAIT_S": "21"}, "POLL_WAIT_S"),
        ({"EXPORT_API_BASE_URL": "https://user:word@api.example"}, "EXPORT_API_BASE_URL"),
    ],
)
def test_limits_and_contradictions_are_named(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], values: Mapping[str, str], named: str
) -> None:
    for name, value in values.items():
        environment.setenv(name, value)
    assert named in refused(capsys)


def test_the_settings_schema_is_fresh() -> None:
    assert settings_schema.PATH.read_text() == settings_schema.document(), (
        "run: python -m runtime.shared.settings_schema"
    )


@pytest.fixture
def log_lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    logs.configure("tested", "INFO")
    yield lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)
    logs._formatter = None


def test_a_unit_of_work_has_its_ids_on_every_line_and_takes_them_off(log_lines: Any) -> None:
    log = logging.getLogger("some.module")
    with logs.unit_of_work(message_id="m"):
        logs.bind(export_job_id="j", task_id=None)
        thread = threading.Thread(target=logs.carry(log.info), args=("from a sub-thread",))
        thread.start()
        thread.join()
        other = threading.Thread(target=lambda: log.info("from elsewhere"))
        other.start()
        other.join()
        try:
            raise ValueError("https://x.example/a?X-Signature=secret is wrong")
        except ValueError:
            log.exception("Failed on %s", "https://x.example/a?X-Signature=secret")
    log.info("after")
    inside, elsewhere, failed, after = log_lines()
    assert (inside["message_id"], inside["export_job_id"], inside["service"]) == ("m", "j", "tested")
    assert "message_id" not in elsewhere
    assert "message_id" not in after
    assert failed["exception_name"] == "ValueError"
    assert "secret" not in json.dumps(failed)
    assert failed["message"] == "Failed on https://x.example/a?…"


@given(st.text(max_size=50), st.text(max_size=50))
def test_no_query_string_survives(before: str, after: str) -> None:
    line = json.dumps({"message": f"{before} https://host/path?token=hidden {after}"})
    assert "token=hidden" not in logs.without_queries(line)
    json.loads(logs.without_queries(line))


def test_metrics_are_written_as_emf(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = Metrics(namespace="Space", service="worker", environment="dev", interval_s=60)
    for _ in range(250):
        metrics.add("MessagesProcessed")
        metrics.add("ApiLatency", 0.5, "Seconds")
    metrics.gauge("CircuitState", 0)
    metrics.flush()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [len(line["ApiLatency"]) for line in lines] == [99, 99, 52]
    assert lines[0]["MessagesProcessed"] == [250.0]
    assert (lines[0]["service"], lines[0]["environment"], lines[0]["CircuitState"]) == (
        "worker",
        "dev",
        [0.0],
    )
    assert lines[0]["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Space"
    metrics.flush()
    (line,) = capsys.readouterr().out.splitlines()
    assert "MessagesProcessed" not in line  # only gauges are repeated


def test_metrics_lose_nothing_between_threads(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = Metrics(namespace="n", service="s", environment="e", interval_s=0.005)
    metrics.start()
    threads = [threading.Thread(target=lambda: [metrics.add("X") for _ in range(2_000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    metrics.stop()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sum(line["X"][0] for line in lines) == 8_000


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


def validated(event: Mapping[str, Any]) -> Mapping[str, Any]:
    name = event["detail-type"].lower().replace(" ", "-")
    schema = json.loads((Path(__file__).parents[3] / f"docs/events/{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(event, schema)
    return event


@pytest.mark.parametrize("outcome", ["completed", "incomplete"])
def test_a_job_is_announced_once_and_its_events_follow_the_schemas(
    aws: Aws, ledger: Ledger, outcome: str
) -> None:
    url = aws.event_queue()
    queue = aws.queue().url
    reporter = JobReporter(ledger, EventBus(aws.events, url.rpartition("/")[2]), aws.sqs, queue)
    claim = ledger.claim_job("job", owner="o", lease_s=60, correlation_id="c")
    ledger.record_tasks(claim, {"t": "f"}, 0)
    ledger.finish_listing(claim, claim.listing)
    unit = WorkUnit(export_job_id="job", task_id="t", file_id="f")
    reporter.ask_for_count(ledger.job_state("job"))  # not ended: nobody counts
    assert aws.drain(queue) == []
    state = ledger.park(ledger.claim(unit, owner="w", lease_s=60), "not-a-zip", "https://x/?sig=secret")
    reporter.task_parked(unit, "not-a-zip", "https://x/y?sig=secret", correlation_id="c")
    reporter.ask_for_count(state)
    assert [json.loads(message["Body"])["count_job"] for message in aws.drain(queue)] == ["job"]
    assert [reporter.say(state, JobCount(3, 3, "missing.jsonl")) for _ in range(3)] == ["failed", None, None]
    reporter.ask_for_count(ledger.job_state("job"))  # said: nobody counts again
    assert aws.drain(queue) == []
    summary: dict[str, int | str] = {"in_s3": 2, "rejected:corrupt-data": 1, "etag": "x"}
    state = ledger.complete(ledger.claim(unit, owner="w", lease_s=60), summary)
    assert not state.end_announced
    count = JobCount(3, 0) if outcome == "completed" else JobCount(3, 1, "missing.jsonl")
    assert [reporter.say(state, count) for _ in range(2)] == [outcome, None]
    events = [validated(json.loads(message["Body"])) for message in until(lambda: aws.drain(url))]
    assert {event["detail-type"] for event in events} == {
        f"Export Job {outcome.capitalize()}",
        "Export Job Failed",
        "Export Task Parked",
    }
    (last,) = [event["detail"] for event in events if event["detail"].get("status") == outcome]
    assert (last["expected"], last["present"] + last["missing"]) == (3, 3)
    assert last["rejected"] == {"corrupt-data": 1}
    item = ledger._table.get("job", "JOB") or {}
    assert {name: item.get(name) for name in ("status", "job_status", "expected", "present", "run")} == {
        "status": outcome, "job_status": outcome, "expected": 3, "present": last["present"], "run": 1,
    }  # fmt: skip
    assert all(event["source"] == "export-processing" for event in events)
    assert "secret" not in json.dumps(events)
    assert len({event["detail"]["event_id"] for event in events}) == 3


def test_an_event_that_was_not_taken_is_said_by_the_next_caller(ledger: Ledger) -> None:
    class Events:
        failing = True

        def put_events(self, *, Entries: list[Any]) -> Any:  # noqa: N803
            return {"FailedEntryCount": int(self.failing), "Entries": [{"ErrorCode": "InternalFailure"}]}

    bus = Events()
    reporter = JobReporter(ledger, EventBus(bus, "default"), None, "")  # type: ignore[arg-type]
    state = ledger.park_job("job", "unknown-job", "404", correlation_id="c")
    with pytest.raises(EventNotSent):
        reporter.say(state, JobCount(0, 0))
    bus.failing = False
    assert reporter.say(state, JobCount(0, 0)) == "failed"
    assert ledger.job_state("job").announced == "failed"


def test_an_event_id_depends_on_what_is_said_only() -> None:
    assert event_id("Export Job Completed", "j") == event_id("Export Job Completed", "j")
    assert event_id("Export Job Completed", "j") != event_id("Export Job Failed", "j")
