"""A download handler with everything around it: the real ledger, a queue, and a bus that remembers."""

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import boto3

from runtime.shared.consumer import Cancellation, Outcome, Park
from runtime.shared.contracts import DownloadTask
from runtime.shared.events import EventBus
from runtime.shared.ledger import Ledger, MessageLedger
from runtime.shared.ledger.table import LedgerTable
from runtime.shared.metrics import Metrics
from runtime.shared.priorities import PriorityQueues
from runtime.shared.reporting import JobReporter
from runtime.worker.count.counter import JobCounter
from runtime.worker.count.expected import ExpectedFiles
from runtime.worker.handler import DownloadHandler
from runtime.worker.manifest.join import Joiner
from runtime.worker.manifest.publish import Publisher
from runtime.worker.metrics import WorkerMetrics
from runtime.worker.parts import TaskParts
from runtime.worker.wiring import metadata_attributes
from tests.unit.deliveries import delivery
from tests.unit.worker.conftest import World


class Events:
    """EventBridge's client, as far as it is used."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def put_events(self, *, Entries: list[dict[str, Any]]) -> Any:  # noqa: N803
        self.sent += [(entry["DetailType"], json.loads(entry["Detail"])) for entry in Entries]
        return {"FailedEntryCount": 0}


class Desk:
    """A handler with everything around it, and the queue that its parts go to."""

    def __init__(self, world: World, session: boto3.Session, clock: Callable[[], float] = time.time) -> None:
        self.world = world
        self.sqs = session.client("sqs")
        self.queue = self.sqs.create_queue(QueueName=world.bucket)["QueueUrl"]
        name = f"ledger-{world.bucket}"
        world.dynamodb.create_table(
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
        table = LedgerTable(world.dynamodb, name, retention_days=1, clock=clock)
        self.ledger, self.messages_ledger = Ledger(table), MessageLedger(table)
        self.clock = clock
        self.events = Events()
        bus = EventBus(self.events, "default")  # type: ignore[arg-type]
        self.reporter = JobReporter(self.ledger, bus, self.sqs, self.queue)
        self.metrics = Metrics(namespace="n", service="worker", environment="test", interval_s=60)

    def handler(self, api: Any = None, **settings: Any) -> DownloadHandler:
        metrics = WorkerMetrics(self.metrics)
        configured = self.world.settings(**settings)
        return DownloadHandler(
            processor=self.world.processor(api, **settings),
            ledger=self.ledger,
            messages=self.messages_ledger,
            reporter=self.reporter,
            parts=TaskParts(
                ledger=self.ledger,
                reporter=self.reporter,
                joiner=Joiner(self.world.s3, self.world.bucket, "manifests/"),
                sqs=self.sqs,
                queues=PriorityQueues(normal=self.queue),
                owner="worker-1",
                lease_s=60,
            ),
            counter=JobCounter(
                ledger=self.ledger,
                reporter=self.reporter,
                metrics=metrics,
                expected=ExpectedFiles(self.world.dynamodb, metadata_attributes(configured)),
                publisher=Publisher(self.world.s3, self.world.bucket),
                manifest_prefix="manifests/",
                scratch=self.world.scratch,
                metadata_wait_s=configured.metadata_wait_s,
                owner="worker-1",
                lease_s=60,
                clock=self.clock,
            ),
            owner="worker-1",
            lease_s=60,
            metadata_wait_s=configured.metadata_wait_s,
            metrics=metrics,
            clock=self.clock,
        )

    def messages(self) -> list[str]:
        found: list[str] = []
        while batch := self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            for message in batch:
                found.append(message["Body"])
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return found

    def summary(self) -> dict[str, Any]:
        items = self.world.dynamodb.scan(TableName=f"ledger-{self.world.bucket}")["Items"]
        return {item["item"]["S"]: item for item in items}


def deliver(
    handler: DownloadHandler,
    body: str | DownloadTask,
    cancellation: Cancellation | None = None,
    progress: Mapping[str, Any] | None = None,
) -> Outcome:
    text = body if isinstance(body, str) else body.model_dump_json()
    message = delivery(
        text,
        sent_at=datetime.now(UTC),
        progress=progress or {},
        cancellation=cancellation or Cancellation(),
    )
    outcome = handler(message)
    if isinstance(outcome, Park):
        handler.on_parked(message, outcome.reason, outcome.error)
    return outcome
