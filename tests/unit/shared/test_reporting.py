"""The end of a job is announced once, by events that follow their schemas."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from runtime.shared.events import EventBus, EventNotSent
from runtime.shared.ledger import JobCount, Ledger, WorkUnit
from runtime.shared.reporting import JobReporter
from tests.unit.conftest import Aws, until


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
