"""From a message to its outcome, with the real ledger, queue and event bus."""

import json
from typing import Any

import boto3
import pytest

from runtime.shared.circuits import CircuitOpen
from runtime.shared.consumer import (
    Cancellation,
    Cancelled,
    Done,
    LeaseLost,
    Park,
    Retry,
    Yield,
)
from runtime.shared.export_api import NotFound, RateLimited, Unavailable
from runtime.shared.ledger import WorkUnit
from tests.unit.worker.conftest import World, zip_of
from tests.unit.worker.desk import Desk, deliver
from tests.unit.worker.test_processor import lines

FILES = {f"{i:02}.bin": bytes([i]) * 40_000 for i in range(12)}


@pytest.fixture
def desk(world: World, session: boto3.Session) -> Desk:
    world.behaviour.body = zip_of(FILES, stored=True)
    world.seed(FILES)
    return Desk(world, session)


def check_objects(world: World) -> None:
    for name, data in FILES.items():
        assert world.object(f"exports/{world.job}/{name}") == data


def test_a_task_is_done_once(desk: Desk) -> None:
    handler, task = desk.handler(), desk.world.task()
    assert deliver(handler, task) == Done()
    check_objects(desk.world)
    requests = len(desk.world.behaviour.requests)
    assert deliver(handler, task) == Done()
    assert len(desk.world.behaviour.requests) == requests
    assert desk.summary()[f"TASK#{task.task_id}"]["summary"]["M"]["in_s3"] == {"N": "12"}


def test_a_task_in_other_hands_is_handed_on(desk: Desk) -> None:
    task = desk.world.task()
    desk.ledger.claim(
        WorkUnit(export_job_id=task.export_job_id, task_id=task.task_id, file_id=task.file_id),
        owner="x",
        lease_s=50,
    )
    outcome = deliver(desk.handler(), task)
    assert isinstance(outcome, Yield)
    assert 1 <= outcome.delay_s <= 50


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("nonsense", "malformed-message"),
        ('{"schema_version": 2}', "unsupported-schema-version"),
        ('{"task_id": "t"}', "malformed-message"),
    ],
)
def test_what_is_not_a_task_is_parked(desk: Desk, body: str, reason: str) -> None:
    outcome = deliver(desk.handler(), body)
    assert isinstance(outcome, Park)
    assert outcome.reason == reason


def test_an_archive_that_cannot_be_read_is_parked(desk: Desk) -> None:
    body = bytearray(desk.world.behaviour.body)
    body[body.index(b"PK\x01\x02")] ^= 1
    desk.world.behaviour.body = bytes(body)
    outcome = deliver(desk.handler(), desk.world.task())
    assert isinstance(outcome, Park)
    assert outcome.reason == "invalid-archive"
    assert desk.summary()[f"TASK#{desk.world.task().task_id}"]["status"] == {"S": "parked"}


@pytest.mark.parametrize(
    ("cut", "size", "reason"),
    [(30, None, "truncated-archive"), (10**9, None, "not-a-zip"), (0, 10**9, "")],
    ids=["cut", "empty", "shorter than listed, but whole"],
)
def test_a_body_that_is_not_the_archive_is_waited_for(
    desk: Desk, cut: int, size: int | None, reason: str
) -> None:
    desk.world.behaviour.body = desk.world.behaviour.body[: max(0, len(desk.world.behaviour.body) - cut)]
    outcome = deliver(desk.handler(not_the_archive_max_wait_s=77), desk.world.task(size=size))
    if not reason:
        assert outcome == Done()
        return
    assert isinstance(outcome, Retry)
    assert (outcome.exhausted, outcome.exhausted_after_s) == (reason, 77)


def test_a_forbidden_host_is_parked(desk: Desk) -> None:
    outcome = deliver(desk.handler(), desk.world.task(download_url="https://169.254.169.254/"))
    assert isinstance(outcome, Park)
    assert outcome.reason == "download-forbidden"


class FailingApi:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def get_file(self, export_job_id: str, file_id: str) -> Any:
        raise self.error

    def headers_for(self, url: str) -> dict[str, str]:
        return {}


@pytest.mark.parametrize(
    ("error", "expected", "reason"),
    [
        (NotFound("gone"), Park, "unknown-file"),
        (RateLimited("slow down", 7), Retry, "export-api-error"),
        (CircuitOpen("record", 3), Retry, "circuit-open"),
        (Unavailable("500"), Retry, "export-api-error"),
    ],
)
def test_what_the_api_says_decides(desk: Desk, error: Exception, expected: type, reason: str) -> None:
    desk.world.behaviour.gone_paths = {"/download/file-1"}
    outcome = deliver(desk.handler(FailingApi(error)), desk.world.task())
    assert isinstance(outcome, expected)
    assert not isinstance(outcome, Done)
    assert outcome.reason == reason
    # The lease is free again, so that the next attempt does not wait.
    desk.world.behaviour.gone_paths = set()
    assert deliver(desk.handler(), desk.world.task()) == Done()


def test_a_lost_lease_publishes_nothing(desk: Desk) -> None:
    handler, task = desk.handler(), desk.world.task()

    def lose(start: int, stop: int) -> None:
        unit = WorkUnit(export_job_id=task.export_job_id, task_id=task.task_id, file_id=task.file_id)
        table = f"ledger-{desk.world.bucket}"
        desk.world.dynamodb.update_item(
            TableName=table,
            Key={"export_job_id": {"S": task.export_job_id}, "item": {"S": unit.key}},
            UpdateExpression="SET generation = generation + :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )
        desk.world.behaviour.on_range = None

    desk.world.behaviour.on_range = lose
    with pytest.raises(LeaseLost):
        deliver(handler, task)
    assert desk.world.keys("manifests/") == []


def test_a_huge_archive_is_worked_on_in_parts(desk: Desk) -> None:
    handler, task = desk.handler(split_bytes=100_000), desk.world.task()
    assert deliver(handler, task) == Done()
    parts = desk.messages()
    assert len(parts) == 6
    assert desk.world.keys("exports/") == []
    assert deliver(handler, task) == Done()  # a redelivery of the whole
    assert desk.messages() == []
    for body in parts[:-1]:
        assert deliver(handler, body) == Done()
        assert deliver(handler, body) == Done()
    assert f"manifests/{task.export_job_id}/file-1.json" not in desk.world.keys("manifests/")
    assert deliver(handler, parts[-1]) == Done()
    check_objects(desk.world)
    manifest = json.loads(desk.world.object(f"manifests/{task.export_job_id}/file-1.json"))
    assert manifest["outcomes"] == {"uploaded": 12}
    assert manifest["parts"] == 6
    assert sorted(lines(desk.world)) == sorted(FILES)
    for body in [*parts, task.model_dump_json()]:
        assert deliver(handler, body) == Done()
    assert desk.summary()[f"TASK#{task.task_id}"]["status"] == {"S": "done"}


def test_parts_that_were_not_all_sent_are_sent_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    handler, task = desk.handler(split_bytes=100_000), desk.world.task()
    with monkeypatch.context() as broken:
        broken.setattr(handler.ledger, "parts_sent", lambda claim: (_ for _ in ()).throw(OSError("killed")))
        assert isinstance(deliver(handler, task), Retry)
    first = desk.messages()
    assert deliver(handler, task) == Done()
    assert sorted(desk.messages()) == sorted(first)


def test_an_archive_that_changes_under_its_parts_is_split_afresh(desk: Desk) -> None:
    handler, task = desk.handler(split_bytes=100_000), desk.world.task()
    deliver(handler, task)
    parts = desk.messages()
    assert deliver(handler, parts[0]) == Done()
    fewer = dict(list(FILES.items())[:3])
    desk.world.behaviour.body = zip_of(fewer, stored=True)
    assert deliver(handler, parts[-1]) == Done()
    left = desk.messages()
    for body in [*parts, *left]:
        assert deliver(handler, body) == Done()
    manifest = json.loads(desk.world.object(f"manifests/{task.export_job_id}/file-1.json"))
    assert sum(manifest["outcomes"].values()) == 3
    assert manifest["archive"]["entries"] == 3


def test_a_stop_hands_the_task_over(desk: Desk) -> None:
    cancellation = Cancellation()
    desk.world.behaviour.on_range = lambda start, stop: cancellation.set("stopping")

    with pytest.raises(Cancelled):
        deliver(desk.handler(), desk.world.task(), cancellation)
    desk.world.behaviour.on_range = None
    assert deliver(desk.handler(), desk.world.task()) == Done()
    check_objects(desk.world)
