"""A job's end through the worker's handler: what is called complete, what is named missing, what heals."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from runtime.shared.consumer import Cancelled, Done, LeaseLost, Park, Retry, Yield
from runtime.shared.consumer.cancellation import Cancellation
from runtime.shared.contracts import DownloadTask, JobCountRequest, task_id_for
from runtime.shared.ledger import WorkUnit
from runtime.worker.count import counter, expected
from tests.unit.conftest import Clock
from tests.unit.worker.conftest import World, zip_of
from tests.unit.worker.desk import Desk, deliver

A, B, C, D = ({name: name.encode() * 50} for name in ("a.txt", "b/b.txt", "c.txt", "d.txt"))
LACKING = "not-in-any-archive"
OTHER = {"a.txt": b"something else of the same size".ljust(250, b".")}


class Job:
    """One export job: its archives, from listing to end."""

    def __init__(self, world: World, session: boto3.Session, **settings: Any) -> None:
        self.world = world
        self.clock = Clock()
        self.desk = Desk(world, session, self.clock)
        self.handler = self.desk.handler(**settings)

    def list(self, archives: int) -> None:
        """As the orchestrator does, for a message sent now."""
        self.clock.advance(1)
        claim = self.desk.ledger.claim_job(
            self.world.job, owner="o", lease_s=60, correlation_id="c", sent_at=self.clock.now
        )
        tasks = [self.task(number) for number in range(archives)]
        self.desk.ledger.record_tasks(claim, {task.task_id: task.file_id for task in tasks}, 0)
        self.desk.ledger.finish_listing(claim, claim.listing)
        self.clock.advance(1)

    def task(self, number: int) -> DownloadTask:
        file_id = f"file-{number}"
        return self.world.task(
            task_id=task_id_for(self.world.job, file_id), file_id=file_id, download_url=f"/download/{file_id}"
        )

    def fetch(self, number: int, files: Mapping[str, bytes], **options: Any) -> Any:
        self.world.behaviour.body = zip_of(dict(files), stored=True)
        return deliver(self.handler, self.task(number), **options)

    def park(self, number: int, files: Mapping[str, bytes]) -> None:
        """An archive whose directory is none."""
        body = bytearray(zip_of(dict(files)))
        body[body.index(b"PK\x01\x02")] ^= 1
        self.world.behaviour.body = bytes(body)
        assert isinstance(deliver(self.handler, self.task(number)), Park)

    def run(self, *archives: Mapping[str, bytes]) -> None:
        self.list(len(archives))
        for number, files in enumerate(archives):
            assert self.fetch(number, files) == Done()

    def count(self) -> Any:
        request = JobCountRequest(count_job=self.world.job, correlation_id="c")
        return deliver(self.handler, request.model_dump_json())

    @property
    def said(self) -> tuple[str, dict[str, Any]]:
        """The last event."""
        return self.desk.events.sent[-1]

    @property
    def item(self) -> dict[str, Any]:
        return self.desk.ledger._table.get(self.world.job, "JOB") or {}

    def missing(self) -> dict[str, str]:
        text = self.world.object(f"manifests/{self.world.job}/missing.jsonl").decode()
        return {line["path"]: line["reason"] for line in map(json.loads, text.splitlines())}


@pytest.fixture
def job(world: World, session: boto3.Session) -> Job:
    return Job(world, session)


@dataclass(frozen=True)
class Case:
    """Archives, what the metadata expects of them, and what is to be said."""

    archives: list[dict[str, bytes]]
    expects: dict[str, bytes]
    missing: dict[str, str] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)


CASES = {
    "one archive with everything": Case([A | B | C], A | B | C),
    "several archives with everything": Case([A, B | C, D], A | B | C | D),
    "entries that nobody expects": Case([A | B, C], A, rejected={"no-metadata": 2}),
    "nothing expected, nothing there": Case([], {}),
    "nothing listed": Case([], A, {"a.txt": LACKING}),
    "the metadata has more": Case(
        [A, B], A | B | C | D, {"c.txt": LACKING, "d.txt": LACKING}
    ),
    "a path in two archives": Case([A | B, B | C], A | B | C),
    "as many as expected, but the same ones twice": Case(
        [A | B, A | B], A | B | C | D, {"c.txt": LACKING, "d.txt": LACKING}
    ),
    "a rejected entry": Case(
        [OTHER | B], A | B, {"a.txt": "checksum-mismatch"}, {"checksum-mismatch": 1}
    ),
    "rejected in one archive, good in another": Case([OTHER, A], A, rejected={"checksum-mismatch": 1}),
}  # fmt: skip


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items()])
def test_a_job_is_complete_only_with_every_expected_file(job: Job, case: Case) -> None:
    job.world.seed(case.expects)
    job.run(*case.archives)
    if not case.archives:
        assert job.count() == Done()
    outcome = "incomplete" if case.missing else "completed"
    ((kind, detail),) = job.desk.events.sent
    counts = {
        "expected": len(case.expects),
        "missing": len(case.missing),
        "present": len(case.expects) - len(case.missing),
    }
    assert kind == f"Export Job {outcome.capitalize()}"
    assert {name: detail[name] for name in counts} == counts
    assert detail["rejected"] == case.rejected
    assert {name: job.item[name] for name in counts} == counts
    assert (job.item["status"], job.item["announced"], job.item["run"]) == (outcome, outcome, 1)
    key = f"manifests/{job.world.job}/missing.jsonl"
    if case.missing:
        assert job.missing() == case.missing
        assert detail["missing_key"] == job.item["missing_key"] == key
    else:
        assert key not in job.world.keys("manifests/")
        assert "missing_key" not in detail


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"size": {"S": "250"}}, "invalid-metadata"),
        ({"size": {"N": "251"}}, "size-mismatch"),
        ({"sha256": {"S": "0" * 64}}, "checksum-mismatch"),
        ({"destination_key": {"S": "../elsewhere"}}, "destination-not-allowed"),
    ],
)
def test_the_missing_ones_are_named_with_their_reason(job: Job, attributes: Any, reason: str) -> None:
    job.world.seed(B)
    job.world.seed(A, **attributes)
    job.run(A | B)
    assert job.missing() == {"a.txt": reason}
    assert job.said[1]["rejected"] == {reason: 1}


def test_a_digest_is_not_asked_of_an_item_without_one(job: Job) -> None:
    job.world.seed(A, sha256=None)
    job.world.seed(B | C)
    job.run(A, B)  # the names are compared, because one is missing
    assert job.missing() == {"c.txt": LACKING}


def test_a_job_with_a_parked_archive_is_failed_and_counted(job: Job) -> None:
    job.world.seed(A | B)
    job.list(2)
    job.park(1, B)
    assert job.desk.messages() == []  # the other archive is open
    assert job.fetch(0, A) == Done()
    kind, detail = job.said
    assert (kind, detail["tasks_parked"]) == ("Export Job Failed", 1)
    assert (detail["expected"], detail["present"], detail["missing"]) == (2, 1, 1)
    assert job.missing() == {"b/b.txt": LACKING}
    assert job.fetch(1, B) == Done()  # redriven
    assert job.said[0] == "Export Job Completed"
    assert job.said[1]["missing"] == 0


def test_who_parks_the_last_archive_asks_for_the_count(job: Job) -> None:
    job.world.seed(A)
    job.list(1)
    job.park(0, A)
    assert [kind for kind, _ in job.desk.events.sent] == ["Export Task Parked"]
    (request,) = job.desk.messages()
    assert deliver(job.handler, request) == Done()
    assert job.said[0] == "Export Job Failed"


def test_a_split_archive_counts_once(world: World, session: boto3.Session) -> None:
    files = {f"{number:02}.bin": bytes([number]) * 40_000 for number in range(6)}
    job = Job(world, session, split_bytes=100_000)
    world.seed(files | A)
    job.run(files)
    while messages := job.desk.messages():
        for body in messages:
            assert deliver(job.handler, body) == Done()
    kind, detail = job.said
    assert (kind, detail["expected"], detail["present"]) == ("Export Job Incomplete", 7, 6)
    assert job.missing() == {"a.txt": LACKING}


class Killed(BaseException):
    """What nothing catches."""


class DyingTable:
    """The metadata table's client, until the process ends."""

    def __init__(self, client: Any, queries: int) -> None:
        self._client = client
        self.queries = queries

    def query(self, **request: Any) -> Any:
        if self.queries == 0:
            raise Killed
        self.queries -= 1
        return self._client.query(**request)


@pytest.mark.parametrize("archives", [1, 2], ids=["by count", "by name"])
def test_a_count_goes_on_where_a_dead_process_left_it(
    job: Job, archives: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expected, "PAGE_ITEMS", 2)
    monkeypatch.setattr(counter, "_PAGES_PER_SAVE", 1)
    files = {f"{number:02}.txt": b"x" * number for number in range(9)}
    job.world.seed(files)
    job.list(archives)
    for number in range(1, archives):
        assert job.fetch(number, {}) == Done()
    source = job.handler.counter.expected
    with monkeypatch.context() as dying:
        dying.setitem(vars(source), "dynamodb", DyingTable(source.dynamodb, 3))
        dying.setattr(
            type(job.desk.ledger), "release_count", lambda *_, **__: None
        )  # a dead process does not
        with pytest.raises(Killed):
            job.fetch(0, files)
    assert job.desk.events.sent == []
    assert isinstance(job.count(), Yield)  # the dead one's lease still stands
    job.clock.advance(61)
    rest = DyingTable(source.dynamodb, 2)
    monkeypatch.setitem(vars(source), "dynamodb", rest)
    assert job.count() == Done()
    assert rest.queries == 0
    assert job.said[0] == "Export Job Completed"
    assert job.said[1]["expected"] == 9


def test_what_fails_on_the_way_is_tried_again(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    job.world.seed(A)
    job.list(1)
    source = job.handler.counter.expected

    class Unreachable:
        def query(self, **_: Any) -> Any:
            raise EndpointConnectionError(endpoint_url="http://dynamodb")

    with monkeypatch.context() as broken:
        broken.setitem(vars(source), "dynamodb", Unreachable())
        assert isinstance(job.fetch(0, A), Retry)
    assert job.fetch(0, A) == Done()  # the redelivery asks again
    (request,) = job.desk.messages()
    assert deliver(job.handler, request) == Done()
    assert job.said[0] == "Export Job Completed"


def test_a_stop_in_the_middle_hands_the_count_over(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    job.world.seed(A)
    job.list(1)
    cancellation = Cancellation()
    source = job.handler.counter.expected
    query = source.dynamodb.query

    def stopped(**request: Any) -> Any:
        cancellation.set("stopping")
        return query(**request)

    with monkeypatch.context() as stopping:
        stopping.setattr(source.dynamodb, "query", stopped)
        with pytest.raises(Cancelled):
            job.fetch(0, A, cancellation=cancellation)
    assert job.count() == Done()
    assert job.said[0] == "Export Job Completed"


def test_a_long_count_lets_others_have_the_slot(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expected, "PAGE_ITEMS", 1)
    monkeypatch.setattr(counter, "_LONGEST_STEP_S", -1.0)
    job.world.seed(A | B | C)
    job.list(1)
    assert job.fetch(0, A | B | C) == Yield("counting")
    assert [job.count(), job.count()] == [Yield("counting"), Done()]
    assert job.said[1]["expected"] == 3


def test_metadata_that_comes_late_is_waited_for(world: World, session: boto3.Session) -> None:
    job = Job(world, session, metadata_wait_s=1_000)
    job.list(1)
    first = job.fetch(0, A | B)
    assert isinstance(first, Yield)
    assert (first.reason, first.delay_s) == ("metadata-may-be-late", 900)
    world.seed(A | B | C)
    job.clock.advance(900)
    second = job.fetch(0, A | B, progress=first.progress)
    assert second == Yield("metadata-may-be-late", delay_s=900)  # the archive is done; now its job is
    assert sorted(world.keys(f"exports/{world.job}/")) == [
        f"exports/{world.job}/{name}" for name in ("a.txt", "b/b.txt")
    ]
    job.clock.advance(999)
    assert job.count() == Yield("metadata-may-be-late", delay_s=1)
    world.seed(D)
    job.clock.advance(1)
    assert job.count() == Done()
    assert job.missing() == dict.fromkeys(("c.txt", "d.txt"), LACKING)


def test_a_job_sent_again_heals(job: Job) -> None:
    job.world.seed(A | B | C)
    job.run(OTHER | B, {})
    assert job.missing() == {"a.txt": "checksum-mismatch", "c.txt": LACKING}
    job.run(A | B, C)
    kind, detail = job.said
    assert (kind, detail["run"], detail["present"], detail["rejected"]) == ("Export Job Completed", 2, 3, {})
    assert job.missing() == {}  # the list is of the last run
    first, second = (detail["event_id"] for _, detail in job.desk.events.sent)
    assert first != second
    assert job.item["run"] == 2
    assert "rejected:checksum-mismatch" not in job.item


def test_a_parked_archive_of_a_job_sent_again_is_tried_again(job: Job) -> None:
    job.world.seed(A | B)
    job.list(2)
    assert job.fetch(0, A) == Done()
    job.park(1, B)
    for request in job.desk.messages():
        deliver(job.handler, request)
    assert job.said[0] == "Export Job Failed"
    job.run(A, B)
    kind, detail = job.said
    assert (kind, detail["tasks_done"], detail["tasks_parked"], detail["present"]) == (
        "Export Job Completed",
        2,
        0,
        2,
    )


def test_a_complete_job_sent_again_moves_no_payload(job: Job) -> None:
    files = {f"{number:02}.bin": bytes([number]) * 400_000 for number in range(8)}
    job.world.seed(files)
    job.run(files)
    written = {
        key: job.world.s3.head_object(Bucket=job.world.bucket, Key=key)["LastModified"]
        for key in job.world.keys("exports/")
    }
    sent = job.world.behaviour.body_bytes_sent
    job.run(files)
    assert job.world.behaviour.body_bytes_sent - sent < 100_000
    assert job.said[1]["run"] == 2
    assert written == {
        key: job.world.s3.head_object(Bucket=job.world.bucket, Key=key)["LastModified"]
        for key in job.world.keys("exports/")
    }
    manifest = json.loads(job.world.object(f"manifests/{job.world.job}/file-0.json"))
    assert (manifest["outcomes"], manifest["bytes_uploaded"]) == ({"already-present": 8}, 0)


def test_duplicates_change_nothing(job: Job) -> None:
    job.world.seed(A | B)
    job.run(A, B)
    before = job.item
    requests = len(job.world.behaviour.requests)
    for number in (0, 1):
        assert deliver(job.handler, job.task(number)) == Done()
    assert job.count() == Done()
    assert job.desk.messages() == []
    assert job.item == before
    assert len(job.desk.events.sent) == 1
    assert len(job.world.behaviour.requests) == requests


def test_a_count_that_was_taken_over_writes_nothing(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    job.world.seed(A | B)
    job.list(1)
    source = job.handler.counter.expected
    query = source.dynamodb.query

    def overtaken(**request: Any) -> Any:
        job.clock.advance(61)
        state = job.desk.ledger.job_state(job.world.job)
        job.desk.ledger.claim_count(state, owner="other", lease_s=60)
        return query(**request)

    with monkeypatch.context() as frozen:
        frozen.setattr(source.dynamodb, "query", overtaken)
        with pytest.raises(LeaseLost):
            job.fetch(0, A)
    assert f"manifests/{job.world.job}/missing.jsonl" not in job.world.keys("manifests/")
    assert job.desk.events.sent == []
    job.clock.advance(61)
    assert job.count() == Done()
    assert job.missing() == {"b/b.txt": LACKING}


def test_an_end_in_an_earlier_run_is_not_counted_in_the_next(job: Job) -> None:
    job.world.seed(A)
    job.list(1)
    job.park(0, A)
    for request in job.desk.messages():
        deliver(job.handler, request)
    ledger = job.desk.ledger
    unit = WorkUnit(export_job_id=job.world.job, task_id=job.task(0).task_id, file_id="file-0")
    redriven = ledger.claim(unit, owner="w", lease_s=60)
    job.clock.advance(1)
    claim = ledger.claim_job(job.world.job, owner="o", lease_s=60, correlation_id="c", sent_at=job.clock.now)
    assert claim.run == 2
    ledger.complete(redriven, {"in_s3": 1})
    state = ledger.job_state(job.world.job)
    assert (state.tasks_done, state.tasks_parked, state.totals) == (0, 0, {})
    assert ledger.record_tasks(claim, {unit.task_id: "file-0"}, 0).new == (unit.task_id,)
    assert job.desk.ledger.finish_listing(claim, claim.listing).tasks_total == 1
