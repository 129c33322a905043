"""Deadly messages, mended exports, and what an operator brings back: the campaign's own machinery."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from local.export_api.catalogue import Catalogue, Export
from local.faults.campaign.crash_loops import CrashLoops
from local.faults.campaign.healing import Healing
from local.faults.campaign.planning import make_scenario
from local.faults.campaign.redrive import redrive
from local.faults.campaign.scenario import CRASH_LOOP
from local.faults.proxy.operations import Operation
from local.faults.proxy.random_source import RandomSource
from tests.faults.test_proxy import Setup, make, setup  # noqa: F401  fixtures

PLAN = make_scenario(1, 60)
DEADLY_JOB = next(job.job_id for job in PLAN.jobs if job.crashes)
DEADLY_TASK = next(
    {"export_job_id": job.job_id, "file_id": file.file_id}
    for job in PLAN.jobs
    for file in job.files
    if file.ending == CRASH_LOOP
)
WELL = next(job.job_id for job in PLAN.jobs if job.files and not job.heals)
AGENT = "Boto3/1.44.5 md/Botocore#1.44.5 app/worker-7 cfg/retry-mode#standard"


class Fleet:
    def __init__(self) -> None:
        self.killed: list[tuple[str, str]] = []

    def kill(self, variable: str, value: str) -> bool:
        self.killed.append((variable, value))
        return True


def message(body: dict[str, Any], receives: int = 1, crashes: int = 0) -> dict[str, Any]:
    attributes = {"crashes": {"StringValue": str(crashes)}} if crashes else {}
    return {
        "Body": json.dumps(body),
        "Attributes": {"ApproximateReceiveCount": str(receives)},
        "MessageAttributes": attributes,
    }


@pytest.mark.parametrize(
    ("handed_out", "dies"),
    [
        (message({"export_job_ids": [DEADLY_JOB]}), True),
        (message({"Message": json.dumps({"export_job_ids": [DEADLY_JOB]})}), True),
        (message(DEADLY_TASK, receives=5), True),
        (message(DEADLY_TASK, receives=6), False),
        (message(DEADLY_TASK, receives=1, crashes=5), False),
        (message({"export_job_ids": [DEADLY_JOB, WELL]}), False),
        (message({"export_job_ids": [WELL]}), False),
        (message({"count_job": DEADLY_TASK["export_job_id"]}), False),
    ],
)
def test_who_gets_a_deadly_message_dies_until_it_is_only_to_be_parked(
    handed_out: dict[str, Any], dies: bool
) -> None:
    fleet = Fleet()
    loops = CrashLoops(PLAN, fleet, 5)  # type: ignore[arg-type]  # as much of one as it needs
    loops.handed_out(AGENT, handed_out)
    assert fleet.killed == ([("AWS_SDK_UA_APP_ID", "worker-7")] if dies else [])
    loops.handed_out("an operator's", handed_out)
    assert len(fleet.killed) == dies


def test_an_export_is_mended_once_its_bad_end_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.faults.campaign.healing._LOOK_EVERY_S", 0)
    item: dict[str, Any] = {"status": "processing"}
    catalogue, sent = Catalogue.of([Export("j", [], "failed")]), list[str]()
    healing = Healing({"j": Export("j", [])}, catalogue, lambda _job, _key: item, sent.append)
    assert healing.look() == 0
    item["status"] = "incomplete"
    assert healing.look() == 0
    item["announced"] = "incomplete"
    assert healing.look() == 1
    assert healing.look() == 0
    assert sent == ["j"]
    assert catalogue.exports["j"].status == "completed"


FULL = {f"p{number}": {"DataType": "String", "StringValue": "theirs"} for number in range(10)}


def reason(text: str) -> dict[str, Any]:
    return {"reason": {"DataType": "String", "StringValue": text}}


@pytest.mark.parametrize(
    ("body", "attributes", "in_ledger", "moves"),
    [
        ({"export_job_ids": ["j"]}, reason("crash-loop"), "", True),
        ({"export_job_ids": ["j"]}, {}, "", True),  # SQS has moved it
        ({"export_job_ids": ["j"]}, reason("unknown-job"), "", False),
        ({"export_job_ids": ["j"]}, reason("retries-exhausted"), "", False),
        ({"export_job_ids": ["j"]}, FULL, "unknown-job", False),
        ({"export_job_ids": ["j"]}, FULL, "crash-loop", True),
        ({"export_job_ids": ["deadly"]}, reason("crash-loop"), "", False),
    ],
)
def test_what_deserves_another_try_gets_it(
    setup: Setup,  # noqa: F811
    body: dict[str, Any],
    attributes: dict[str, Any],
    in_ledger: str,
    moves: bool,
) -> None:
    sqs = setup.client("sqs")
    dlq, queue = (str(sqs.create_queue(QueueName=f"{setup.name}-{n}")["QueueUrl"]) for n in "dq")
    sqs.send_message(QueueUrl=dlq, MessageBody=json.dumps(body), MessageAttributes=attributes)
    moved = redrive(
        sqs, dlq, queue, ledger=lambda _job, _key: {"reason": in_ledger}, deadly=lambda text: "deadly" in text
    )
    assert moved == moves
    (there,) = sqs.receive_message(QueueUrl=queue if moves else dlq, MessageAttributeNames=["All"])[
        "Messages"
    ]
    assert there["Body"] == json.dumps(body)
    assert set(there.get("MessageAttributes", {})) == set(attributes)


def test_each_message_is_told_with_who_gets_it(make: Callable[..., Setup]) -> None:  # noqa: F811
    told: list[tuple[str, str]] = []
    handed = make(handed_out=lambda agent, message: told.append((agent, message["Body"])))
    sqs = handed.client("sqs")
    url = handed.queue(sqs)
    sqs.send_message_batch(
        QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": f"body {n}"} for n in range(2)]
    )
    # One is withheld: nobody gets it.
    handed.breaks("sqs.ReceiveMessage", "withheld")
    sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    assert len(told) == 1
    assert "Botocore" in told[0][0]
    assert told[0][1].startswith("body")


def test_a_service_that_is_down_fails_each_call() -> None:
    source, call = RandomSource(seed=1, rates={}), Operation("secretsmanager", "GetSecretValue", "/", {})
    assert source.decide(call) is None
    source.down("secretsmanager", "server-error")
    kinds = {fault.kind for _ in range(3) if (fault := source.decide(call))}
    assert kinds == {"server-error"}
    assert source.decide(Operation("sqs", "ReceiveMessage", "/", {})) is None
    source.up("secretsmanager")
    assert source.decide(call) is None
    source.down("secretsmanager", "server-error")
    source.calm()
    assert source.decide(call) is None
