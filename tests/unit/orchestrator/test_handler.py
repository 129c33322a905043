"""Export jobs from message to tasks: what is counted, sent, resumed, waited for and parked."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from runtime.orchestrator.dispatcher import Dispatcher
from runtime.orchestrator.handler import ExportJobsHandler
from runtime.orchestrator.listing import MAX_BARREN_PAGES, JobLister, ListingFault
from runtime.shared.consumer import (
    Cancelled,
    Delivery,
    Done,
    FailureRun,
    Outcome,
    Park,
    Retry,
    Yield,
)
from runtime.shared.contracts import task_id_for
from runtime.shared.events import EventBus
from runtime.shared.export_api import client as api_client
from runtime.shared.ledger import JobClaim, JobCount, Ledger, ListingState, MessageLedger, WorkUnit
from runtime.shared.metrics import Metrics
from runtime.shared.priorities import PriorityQueues
from runtime.shared.reporting import JobReporter
from tests.unit import deliveries
from tests.unit.conftest import Aws, Clock
from tests.unit.orchestrator.vendor import Vendor, record, settings

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_client, "FIRST_WAIT_S", 0)


class Events:
    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def put_events(self, *, Entries: list[dict[str, Any]]) -> Any:  # noqa: N803
        self.sent += [(entry["DetailType"], json.loads(entry["Detail"])) for entry in Entries]
        return {"FailedEntryCount": 0}


def delivery(body: Any, *, age_s: float = 0, progress: dict[str, Any] | None = None) -> Delivery:
    return deliveries.delivery(
        body if isinstance(body, str) else json.dumps(body),
        sent_at=NOW,
        first_seen=NOW - timedelta(seconds=age_s),
        progress=progress or {},
    )


@dataclass
class World:
    aws: Aws
    ledger: Ledger
    clock: Clock
    tasks_url: str
    jobs_url: str
    events: Events

    def handler(self, vendor: Vendor, **values: Any) -> ExportJobsHandler:
        configured = settings(
            download_tasks_queue_url=self.tasks_url, export_jobs_queue_url=self.jobs_url, **values
        )
        metrics = Metrics(namespace="n", service="s", environment="e", interval_s=60)
        api = vendor.api()
        return ExportJobsHandler(
            configured,
            owner="o",
            sqs=self.aws.sqs,
            api=api,
            ledger=self.ledger,
            messages=MessageLedger(self.ledger._table),
            reporter=JobReporter(
                self.ledger,
                EventBus(self.events, "default"),  # type: ignore[arg-type]
                self.aws.sqs,
                self.tasks_url,
            ),
            lister=JobLister(
                api,
                self.ledger,
                Dispatcher(self.aws.sqs, PriorityQueues(normal=self.tasks_url), metrics),
                metrics,
                max_pages=configured.export_api_max_pages,
            ),
            utc_now=lambda: NOW,
            uniform=lambda _low, high: high,
        )

    def tasks(self) -> list[dict[str, Any]]:
        return [json.loads(message["Body"]) for message in self.aws.drain(self.tasks_url)]


@pytest.fixture
def world(aws: Aws, ledger: Ledger, clock: Clock) -> World:
    return World(aws, ledger, clock, aws.queue().url, aws.queue().url, Events())


JOB = {"export_job_ids": ["job"], "correlation_id": "c", "priority": "high"}
PAGES = [[record("a"), record("b")], [record("b"), record("c")], [record("a")]]


def test_one_task_per_file_is_sent_and_counted(world: World) -> None:
    assert world.handler(Vendor(PAGES))(delivery(JOB)) == Done()
    tasks = sorted(world.tasks(), key=lambda task: task["file_id"])
    assert {task["file_id"] for task in tasks} == {"a", "b", "c"}
    assert tasks[0] == {
        "schema_version": 1,
        "task_id": task_id_for("job", "a"),
        "export_job_id": "job",
        "file_id": "a",
        "file_name": "a.zip",
        "download_url": "https://api.example/d/a",
        "correlation_id": "c",
        "priority": "high",
    }
    state = world.ledger.job_state("job")
    assert (state.tasks_total, state.listing_complete, state.ended) == (3, True, False)
    assert world.handler(Vendor(PAGES))(delivery(JOB)) == Done()
    assert world.tasks() == []


COUNT = {"schema_version": 1, "count_job": "job", "correlation_id": "c"}


def test_a_job_without_files_is_to_be_counted_at_once(world: World) -> None:
    for _ in range(2):
        assert world.handler(Vendor([[]]))(delivery(JOB)) == Done()
        assert world.tasks() == [COUNT]


def test_a_job_sent_again_after_its_end_is_listed_afresh(world: World) -> None:
    sent = NOW.timestamp()
    world.clock.now = sent
    assert world.handler(Vendor([[record("a"), record("b")]]))(delivery(JOB)) == Done()
    for unit in (
        WorkUnit(export_job_id="job", task_id=task_id_for("job", file), file_id=file) for file in "ab"
    ):
        claim = world.ledger.claim(unit, owner="w", lease_s=60)
        world.ledger.complete(claim, {"in_s3": 2}) if unit.file_id == "a" else world.ledger.park(
            claim, "r", "e"
        )
    assert {task["file_id"] for task in world.tasks()} == {"a", "b"}
    assert end(world) == "failed"
    for unfinished_business in (delivery(JOB), delivery(JOB, age_s=60)):
        assert world.handler(Vendor([[record("a")]]))(unfinished_business) == Done()
    assert world.tasks() == []
    again = delivery(JOB | {"correlation_id": "d"}, age_s=-10)
    listing = [[record("a"), record("b"), record("c")]]
    assert world.handler(Vendor(listing))(again) == Done()
    assert world.handler(Vendor(listing))(again) == Done()
    tasks = world.tasks()
    assert {(task["file_id"], task["run"], task["correlation_id"]) for task in tasks} == {
        ("a", 2, "d"), ("b", 2, "d"), ("c", 2, "d"),
    }  # fmt: skip
    assert len(tasks) == 3
    state = world.ledger.job_state("job")
    assert (state.run, state.tasks_total, state.tasks_done, state.tasks_parked, state.totals) == (
        2,
        3,
        0,
        0,
        {},
    )
    assert (state.announced, state.ended) == ("", False)


def end(world: World) -> str:
    """Count the job as a worker would."""
    state = world.ledger.job_state("job")
    outcome = world.handler(Vendor([[]]))._reporter.say(state, JobCount(0, 0))
    assert outcome is not None
    return outcome


def test_an_interrupted_listing_goes_on_where_it_was(world: World) -> None:
    interrupted = delivery(JOB)

    def stop_at_third(request: httpx.Request) -> None:
        if request.url.params.get("cursor") == "2":
            interrupted.cancellation.set("stopping")

    with pytest.raises(Cancelled):
        # The third page still arrives and is sent; a fourth would not be asked for.
        world.handler(Vendor([*PAGES, [record("d")]], override=stop_at_third))(interrupted)
    vendor = Vendor([*PAGES, [record("d")]])
    assert world.handler(vendor)(delivery(JOB)) == Done()
    assert [url.partition("?")[2] for url in vendor.requests[1:]] == ["limit=500&cursor=3"]
    assert {task["file_id"] for task in world.tasks()} == {"a", "b", "c", "d"}
    assert world.ledger.job_state("job").tasks_total == 4


def test_a_crash_between_counting_and_sending_loses_no_task(world: World) -> None:
    claim = world.ledger.claim_job("job", owner="dead", lease_s=60, correlation_id="c")
    world.ledger.record_tasks(claim, {task_id_for("job", "a"): "a", task_id_for("job", "b"): "b"}, 0)
    busy = world.handler(Vendor(PAGES))(delivery(JOB))
    assert isinstance(busy, Yield)
    assert busy.delay_s == pytest.approx(60, abs=1)
    world.clock.advance(61)
    assert world.handler(Vendor(PAGES))(delivery(JOB)) == Done()
    assert {task["file_id"] for task in world.tasks()} == {"a", "b", "c"}
    assert world.ledger.job_state("job").tasks_total == 3


def test_an_expired_cursor_starts_over_without_counting_twice(world: World) -> None:
    claim = world.ledger.claim_job("job", owner="o", lease_s=60, correlation_id="c")
    world.ledger.record_tasks(claim, {task_id_for("job", "a"): "a"}, 0)
    world.ledger.advance(claim, ListingState(cursor="gone", pages=1))
    world.ledger.release_job(claim)

    def refuse(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(410) if request.url.params.get("cursor") == "gone" else None

    assert world.handler(Vendor(PAGES, override=refuse))(delivery(JOB)) == Done()
    assert world.ledger.job_state("job").tasks_total == 3


class CountingLedger:
    """Only what the lister asks of the ledger, fast enough for hundreds of pages."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.advanced: list[ListingState] = []

    def record_tasks(self, _claim: JobClaim, files: dict[str, str], _page: int) -> Any:
        from runtime.shared.ledger.types import Recorded

        new = tuple(task_id for task_id in files if task_id not in self.known)
        self.known.update(new)
        return Recorded(new, ())

    def advance(self, _claim: JobClaim, listing: ListingState) -> None:
        self.advanced.append(listing)


class Nowhere:
    def send(self, *_: Any, **__: Any) -> int:
        return 0


@pytest.mark.parametrize(
    ("following", "requests"),
    [
        (lambda _page: 0, 2),
        (lambda page: (page + 1) % 3, 4),
        (lambda page: min(page + 1, 2), 3),
        (lambda page: page + 1, MAX_BARREN_PAGES + 5),
    ],
    ids=["itself", "period 3", "the last page itself", "never the same"],
)
def test_a_loop_is_known_when_it_closes_and_costs_the_job_a_bounded_number_of_requests(
    following: Any, requests: int
) -> None:
    ledger = CountingLedger()
    state, attempts, asked = ListingState(), 0, 0
    while True:
        vendor = Vendor(PAGES, following=following)
        metrics = Metrics(namespace="n", service="s", environment="e", interval_s=60)
        lister = JobLister(vendor.api(), ledger, Nowhere(), metrics, max_pages=10_000)  # type: ignore[arg-type]
        with pytest.raises(ListingFault) as fault:
            lister.run(
                JobClaim(export_job_id="job", generation=1, owner="o", correlation_id="c", listing=state),
                delivery(JOB),
                None,
            )
        assert fault.value.reason == "listing-loop"
        assert len(vendor.requests) <= requests
        state, attempts, asked = ledger.advanced[-1], attempts + 1, asked + len(vendor.requests)
        if fault.value.final:
            break
    assert attempts <= 6
    assert asked <= MAX_BARREN_PAGES + 10


def test_a_listing_without_end_is_given_up_at_the_page_cap(world: World) -> None:
    numbers = iter(range(10_000))
    vendor = Vendor(
        [[]],
        override=lambda request: (
            httpx.Response(
                200, json={"files": [record(f"f{next(numbers)}")], "next_cursor": str(next(numbers))}
            )
            if request.url.path.endswith("/files")
            else None
        ),
    )
    outcome = world.handler(vendor, export_api_max_pages=7)(delivery(JOB))
    assert isinstance(outcome, Park)
    assert outcome.reason == "listing-too-long"
    assert len(vendor.requests) == 8


def test_a_record_that_is_no_file_is_rejected_with_its_reason_and_the_job_does_not_complete(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    pages = [[record("a"), {"file_id": "x/y", "name": "n", "download_url": "u"}], [record("b")]]
    assert world.handler(Vendor(pages))(delivery(JOB)) == Done()
    assert {task["file_id"] for task in world.tasks()} == {"a", "b"}
    state = world.ledger.job_state("job")
    assert (state.tasks_total, state.listing_complete, state.records_rejected) == (2, True, 1)
    assert state.rejections[0].startswith("page 1, record 2 of the page: file_id: ")
    assert "Rejected a record of the listing: page 1, record 2" in caplog.text
    for file_id in ("a", "b"):
        unit = WorkUnit(export_job_id="job", task_id=task_id_for("job", file_id), file_id=file_id)
        state = world.ledger.complete(world.ledger.claim(unit, owner="w", lease_s=60), {})
    assert (state.ended, state.failed) == (True, True)


def test_rejected_records_are_counted_once_however_often_the_listing_is_interrupted(world: World) -> None:
    pages = [[record("a"), {"file_id": ""}], [{}, record("b")], [record("c")]]
    interrupted = delivery(JOB)

    def stop_at_second(request: httpx.Request) -> None:
        if request.url.params.get("cursor") == "1":
            interrupted.cancellation.set("stopping")

    with pytest.raises(Cancelled):
        world.handler(Vendor(pages, override=stop_at_second))(interrupted)
    assert world.handler(Vendor(pages))(delivery(JOB)) == Done()
    assert world.ledger.job_state("job").records_rejected == 2


def test_several_jobs_are_fanned_out_each_on_its_own(world: World) -> None:
    body = {"export_job_ids": ["j1", "j2", "j1", "j3"], "priority": "low"}
    assert world.handler(Vendor([[]]))(delivery(body, age_s=60)) == Done()
    messages = world.aws.drain(world.jobs_url)
    bodies = sorted(
        (json.loads(message["Body"]) for message in messages), key=lambda found: found["export_job_ids"]
    )
    assert bodies == [
        {"export_job_ids": [job], "correlation_id": "m", "priority": "low"} for job in ("j1", "j2", "j3")
    ]
    assert {m["MessageAttributes"]["first_seen"]["StringValue"] for m in messages} == {
        "2026-02-28T23:59:00+00:00"
    }
    assert {m["Attributes"]["MessageGroupId"] for m in messages} == {"j1", "j2", "j3"}


def test_one_bad_id_is_parked_by_itself_and_holds_back_no_other(world: World) -> None:
    body = {"export_job_ids": ["j1", "x/y", 7, "j2"], "priority": "urgent", "correlation_id": ""}
    handler = world.handler(Vendor([[]]))
    assert handler(delivery(body)) == Done()
    messages = world.aws.drain(world.jobs_url)
    outcomes = {}
    for message in messages:
        (job,) = json.loads(message["Body"])["export_job_ids"]
        assert message["MessageAttributes"]["first_seen"]["StringValue"] == NOW.isoformat()
        outcomes[job] = handler(delivery(message["Body"]))
    assert outcomes["j1"] == outcomes["j2"] == Done()
    for bad in ("x/y", 7):
        parked = outcomes[bad]
        assert isinstance(parked, Park)
        assert parked.reason == "malformed-message"
        assert "export_job_ids.0" in parked.error


@pytest.mark.parametrize("body", ["", "[]", '{"export_job_ids": []}', '{"export_job_ids": ["a/b"]}'])
def test_what_is_not_the_contract_is_parked(world: World, body: str) -> None:
    outcome = world.handler(Vendor([[]]))(delivery(body))
    assert isinstance(outcome, Park)
    assert outcome.reason == "malformed-message"
    world.handler(Vendor([[]])).on_parked(delivery(body), "malformed-message", "x")
    assert world.events.sent == []


@pytest.mark.parametrize(("status", "reason"), [("failed", "export-failed"), ("expired", "export-expired")])
def test_an_export_that_failed_is_parked(world: World, status: str, reason: str) -> None:
    outcome = world.handler(Vendor([[]], status=status))(delivery(JOB))
    assert isinstance(outcome, Park)
    assert outcome.reason == reason


def test_parking_a_job_is_recorded_and_announced_once(world: World) -> None:
    handler = world.handler(Vendor([[]]))
    for _ in range(2):
        handler.on_parked(delivery(JOB), "unknown-job", "GET https://x/?sig=secret answers 404")
    assert world.tasks() == [COUNT, COUNT]
    assert end(world) == "failed"
    handler.on_parked(delivery(JOB), "unknown-job", "the same again")
    assert world.tasks() == []
    ((kind, detail),) = world.events.sent
    assert kind == "Export Job Failed"
    assert (detail["reason"], detail["status"], detail["correlation_id"]) == ("unknown-job", "failed", "c")
    assert "secret" not in detail["error"]
    assert world.handler(Vendor([[record("a")]]))(delivery(JOB)) == Done()
    assert world.ledger.job_state("job").status == "processing"


def test_a_job_that_is_not_ready_is_looked_at_ever_less_often_and_parked_at_last(world: World) -> None:
    handler = world.handler(Vendor([[]], status="running"))
    pauses: list[float] = []
    for _ in range(7):
        # Nothing on the message says how often: the ledger does.
        outcome = handler(delivery(JOB))
        assert isinstance(outcome, Yield)
        pauses.append(outcome.delay_s)
    assert pauses == [30, 60, 120, 240, 480, 900, 900]
    handler._utc_now = lambda: datetime.fromtimestamp(world.clock() + 259_200, UTC)
    late = handler(delivery(JOB))
    assert isinstance(late, Park)
    assert late.reason == "export-not-ready"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (httpx.Response(404), Park("unknown-job", "GET /v1/exports/job answers 404")),
        (httpx.Response(401), Retry(reason="unauthorised", error="GET /v1/exports/job answers 401")),
        (httpx.Response(500), Retry(reason="unavailable", error="GET /v1/exports/job answers 500")),
        (
            httpx.Response(503, headers={"Retry-After": "40"}),
            Retry(reason="unavailable", error="GET /v1/exports/job answers 503", at_least_s=40),
        ),
        (
            httpx.Response(200, html="<html>"),
            Retry(
                reason="invalid-answer",
                error="GET /v1/exports/job answers 200 with text/html; charset=utf-8 that is not JSON",
            ),
        ),
        (
            httpx.Response(429, headers={"Retry-After": "100"}),
            Retry(reason="rate-limited", error="GET /v1/exports/job answers 429", at_least_s=100),
        ),
    ],
)
def test_what_the_apis_answers_become(world: World, answer: httpx.Response, outcome: Outcome) -> None:
    assert world.handler(Vendor([[]], override=lambda _request: answer))(delivery(JOB)) == outcome


def test_a_failure_is_remembered_beside_the_job(world: World) -> None:
    handler = world.handler(Vendor([[]], override=lambda _request: httpx.Response(500)))
    for body, reason in ((JOB, "unavailable"), ({"export_job_ids": ["a", "b"]}, "aws-error")):
        for count in (1, 2):
            run = handler.on_retry(
                delivery(body), Retry(reason=reason, error="x"), FailureRun(NOW, 9, "the message's")
            )
            assert (run.count, run.reason) == (count, reason)
            assert run.since.timestamp() == pytest.approx(world.clock(), abs=1)


def test_a_task_that_sqs_refuses_is_parked_and_holds_no_other_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = record("long") | {"download_url": "/d/long?" + "x" * 3_000}
    monkeypatch.setattr("runtime.shared.sending.MAX_MESSAGE_BYTES", 2_500)
    assert world.handler(Vendor([[record("a"), long], [record("b")]]))(delivery(JOB)) == Done()
    assert {task["file_id"] for task in world.tasks()} == {"a", "b"}
    state = world.ledger.job_state("job")
    assert (state.tasks_total, state.tasks_parked) == (3, 1)
    item = world.ledger._table.get("job", f"TASK#{task_id_for('job', 'long')}")
    assert item is not None
    assert "SQS takes 2500" in item["error"]


def test_a_lost_lease_on_the_listing_is_not_an_outcome_but_the_end(world: World) -> None:
    from runtime.shared.consumer import LeaseLost

    def steal(request: httpx.Request) -> None:
        if request.url.path.endswith("/files"):
            world.clock.advance(10_000)
            world.ledger.claim_job("job", owner="thief", lease_s=60, correlation_id="c")

    with pytest.raises(LeaseLost):
        world.handler(Vendor(PAGES, override=steal))(delivery(JOB))
    assert world.tasks() == []
