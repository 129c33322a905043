"""A local AWS server in a process of its own, with fresh queues and tables for each test."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from runtime.shared.aws import client_config
from runtime.shared.aws_client.beside_botocore import client_beside
from runtime.shared.aws_client.json_service import dynamodb_directly, sqs_directly
from runtime.shared.consumer import SourceQueue
from runtime.shared.ledger import Ledger
from runtime.shared.ledger.table import LedgerTable

REGION = "eu-west-1"


def until(condition: Callable[[], Any], timeout_s: float = 15) -> Any:
    """Wait for the condition to give something true, and return it."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


@dataclass(frozen=True)
class Aws:
    url: str
    sqs: Any
    dynamodb: Any
    events: Any
    secrets: Any
    s3: Any

    def queue(self, *, visibility_s: int = 30) -> SourceQueue:
        name = uuid.uuid4().hex
        attributes = {"VisibilityTimeout": str(visibility_s)}
        url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        dlq = self.sqs.create_queue(QueueName=f"{name}-dlq")["QueueUrl"]
        return SourceQueue(url, dlq)

    def depth(self, url: str) -> int:
        """Messages in the queue, whoever holds them."""
        names = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ]

        def counted() -> int:
            counts = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
            return sum(int(count) for count in counts.values())

        # moto counts one after the other: a message that becomes visible in between is in neither.
        return counted() or counted()

    def visible(self, url: str) -> int:
        names = ["ApproximateNumberOfMessages"]
        return int(self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"][names[0]])

    def drain(self, url: str) -> list[Any]:
        """Receive and delete everything that is visible."""
        drained: list[Any] = []
        while messages := self.sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        ).get("Messages"):
            drained += messages
            for message in messages:
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return drained

    def table(self) -> str:
        name = uuid.uuid4().hex
        self.dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "export_job_id", "AttributeType": "S"},
                {"AttributeName": "item", "AttributeType": "S"},
            ],
            KeySchema=[
                {"AttributeName": "export_job_id", "KeyType": "HASH"},
                {"AttributeName": "item", "KeyType": "RANGE"},
            ],
        )
        return name

    def event_queue(self) -> str:
        """A queue that receives every event of a bus of its own; the bus has the queue's name."""
        name = f"events-{uuid.uuid4().hex}"
        url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        self.events.create_event_bus(Name=name)
        self.events.put_rule(
            Name=name, EventBusName=name, EventPattern=json.dumps({"source": ["export-processing"]})
        )
        self.events.put_targets(Rule=name, EventBusName=name, Targets=[{"Id": "queue", "Arn": arn}])
        return str(url)


@pytest.fixture(scope="session")
def aws() -> Iterator[Aws]:
    process = subprocess.Popen(
        [sys.executable, "-m", "local.aws"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "AWS_DEFAULT_REGION": REGION},
    )
    try:
        assert process.stdout is not None
        port = json.loads(process.stdout.readline())["port"]
        url = f"http://127.0.0.1:{port}"
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
        made = {
            name: session.client(service, endpoint_url=url, config=client_config(64))  # type: ignore[call-overload]
            for name, service in (
                ("sqs", "sqs"),
                ("dynamodb", "dynamodb"),
                ("events", "events"),
                ("secrets", "secretsmanager"),
                ("s3", "s3"),
            )
        }
        # As the services have them, so that what holds for consumer and ledger holds for these calls.
        made["sqs"] = sqs_directly(made["sqs"], client_beside(made["sqs"], session))
        made["dynamodb"] = dynamodb_directly(made["dynamodb"], client_beside(made["dynamodb"], session))
        yield Aws(url, **made)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=10)


class Clock:
    """Time that moves when told to; starts at a plausible epoch so that it serves as either clock."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(aws: Aws, clock: Clock) -> Ledger:
    return Ledger(LedgerTable(aws.dynamodb, aws.table(), retention_days=30, clock=clock))
