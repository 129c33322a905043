"""An environment for the operator's tools: what the stacks would make, on a moto server, and work in it.

Jobs, parkings and circuits are made by the runtime's own code, never by writing items.
"""

import base64
import hashlib
import json
import uuid
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from ops.fleet.environment import LOCAL_FILE, Fleet
from runtime.shared.consumer import copies
from runtime.shared.contracts import DownloadTask, task_id_for
from runtime.shared.ledger import JobClaim, JobCount, JobState, Ledger, MessageLedger, WorkUnit
from runtime.shared.ledger.table import LedgerTable
from runtime.shared.ledger.types import JobOutcome

LEDGER_KEYS = ("export_job_id", "item")
METADATA_KEYS = ("export_job_id", "file_path")
NAME = "site"
VENDOR = "https://files.vendor.example"


@dataclass(frozen=True)
class Site:
    """Everything is fresh; `client` is an operator's with every permission."""

    fleet: Fleet
    logs: Path

    @classmethod
    def create(
        cls, session: boto3.Session, url: str, root: Path, clients: dict[str, Any] | None = None
    ) -> "Site":
        """`clients` may be shared: making one takes longer than most tests."""
        logs = root / NAME / "logs"
        logs.mkdir(parents=True)
        kept = {} if clients is None else clients
        made = Fleet(name=NAME, outputs={}, session=session, endpoint_url=url, log_folder=logs, _clients=kept)
        unique = uuid.uuid4().hex[:12]
        outputs = {
            **_queues(made.client("sqs"), unique),
            "LedgerTableName": _table(made.client("dynamodb"), f"ledger-{unique}", LEDGER_KEYS),
            "MetadataTableName": _table(made.client("dynamodb"), f"metadata-{unique}", METADATA_KEYS),
            "BucketName": f"bucket-{unique}",
            "ClusterName": _cluster(made.client("ecs"), unique),
        }
        made.client("s3").create_bucket(
            Bucket=outputs["BucketName"],
            CreateBucketConfiguration={"LocationConstraint": session.region_name},
        )
        return cls(
            Fleet(
                name=NAME, outputs=outputs, session=session, endpoint_url=url, log_folder=logs, _clients=kept
            ),
            logs,
        )

    def publish(self, key: str = "", secret: str = "", token: str = "") -> None:
        """Write the file by which the command line finds it, with these credentials or its own."""
        credentials = self.fleet.session.get_credentials()
        assert credentials is not None
        own = credentials.get_frozen_credentials()
        document = {
            "endpoint_url": self.fleet.endpoint_url,
            "region": self.fleet.session.region_name,
            "access_key_id": key or own.access_key,
            "secret_access_key": secret or own.secret_key,
            "session_token": token or None,
            "logs": str(self.logs),
            "outputs": self.fleet.outputs,
        }
        (self.logs.parent / LOCAL_FILE).write_text(json.dumps(document))

    @property
    def table(self) -> LedgerTable:
        return self.fleet.ledger

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.table)

    @property
    def messages(self) -> MessageLedger:
        return MessageLedger(self.table)

    # --- work ---------------------------------------------------------------------------------------------

    def listed(self, job: str, files: Iterable[str], correlation_id: str = "trail") -> JobClaim:
        """A job whose listing is complete."""
        claim = self.ledger.claim_job(job, owner="orchestrator-1", lease_s=60, correlation_id=correlation_id)
        self.ledger.record_tasks(claim, {task_id_for(job, file): file for file in files}, 0)
        self.ledger.finish_listing(claim, claim.listing)
        return claim

    def unit(self, job: str, file: str) -> WorkUnit:
        return WorkUnit(export_job_id=job, task_id=task_id_for(job, file), file_id=file)

    def done(self, job: str, file: str, entries: int = 2, **summary: int) -> JobState:
        claim = self.ledger.claim(self.unit(job, file), owner="worker-1", lease_s=60)
        totals = {
            "entries": entries,
            "in_s3": entries,
            "size": 1_000,
            "bytes_fetched": 900,
            "bytes_uploaded": 2_000,
        }
        return self.ledger.complete(claim, {**totals, **summary})

    def parked(self, job: str, file: str, reason: str, error: str = "it is not\nas it should be") -> JobState:
        """An archive that is parked, in the ledger and on the DLQ."""
        state = self.ledger.park(self.unit(job, file), reason, error)
        task = DownloadTask(
            task_id=task_id_for(job, file),
            export_job_id=job,
            file_id=file,
            file_name=f"{file}.zip",
            download_url=f"{VENDOR}/{file}.zip",
            correlation_id="trail",
        )
        self.park_message(
            "DownloadTasks", task.model_dump_json(exclude_none=True), reason, error, group=sanitised(job)
        )
        return state

    def ended(self, state: JobState, outcome: JobOutcome, expected: int = 0, missing: int = 0) -> None:
        """Counted and said."""
        key = f"manifests/{state.export_job_id}/missing.jsonl" if missing else ""
        assert self.ledger.begin_announcement(state, outcome, JobCount(expected, missing, key), 15)
        self.ledger.end_announcement(state, outcome, announced=True)

    def park_message(self, queue: str, body: str, reason: str, error: str = "", group: str = "") -> None:
        """On the DLQ as the consumer writes it; without a reason, as SQS itself moves a message."""
        ours = {"reason": reason, "service": "worker", "correlation_id": "trail", "error": error}
        self.fleet.client("sqs").send_message(
            QueueUrl=self.fleet.output(f"{queue}DlqUrl"),
            MessageBody=body,
            MessageAttributes=dict(copies.fit(body, {}, ours)) if reason else {},
            **({"MessageGroupId": group} if group else {}),
        )

    def expect(self, job: str, files: Mapping[str, bytes]) -> None:
        """The metadata's items."""
        for path, content in files.items():
            self.fleet.client("dynamodb").put_item(
                TableName=self.fleet.output("MetadataTableName"),
                Item={
                    "export_job_id": {"S": job},
                    "file_path": {"S": path},
                    "size": {"N": str(len(content))},
                    "sha256": {"S": hashlib.sha256(content).hexdigest()},
                },
            )

    def put(self, key: str, content: bytes, **more: Any) -> None:
        """An object as the worker writes it."""
        about = {
            "ChecksumAlgorithm": "CRC32",
            "ChecksumCRC32": base64.b64encode(zlib.crc32(content).to_bytes(4, "big")).decode(),
            "Metadata": {"sha256": hashlib.sha256(content).hexdigest()},
        }
        self.fleet.client("s3").put_object(Bucket=self.fleet.bucket, Key=key, Body=content, **(about | more))

    def put_lines(self, key: str, lines: Iterable[Mapping[str, Any]]) -> None:
        body = "".join(json.dumps(line) + "\n" for line in lines).encode()
        self.fleet.client("s3").put_object(Bucket=self.fleet.bucket, Key=key, Body=body)

    def log(self, service: str, **line: Any) -> None:
        """A line in the service's log."""
        with (self.logs / f"{service}-1.jsonl").open("a") as file:
            file.write(json.dumps({"service": service, "level": "INFO", **line}) + "\n")

    def drained(self, output: str) -> list[Any]:
        """Receive and delete everything that is visible."""
        sqs, url = self.fleet.client("sqs"), self.fleet.output(output)
        found: list[Any] = []
        while messages := sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        ).get("Messages"):
            found += messages
            for message in messages:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found


def sanitised(job: str) -> str:
    """A group as SQS takes it."""
    return job if job.isascii() and len(job) <= 128 else ""


def _queues(sqs: Any, unique: str) -> dict[str, str]:
    outputs: dict[str, str] = {}
    for label in ("ExportJobs", "DownloadTasks"):
        attributes: dict[str, str] = {}
        for kind in ("Dlq", "Queue"):
            url = sqs.create_queue(QueueName=f"{label}-{kind}-{unique}", Attributes=attributes)["QueueUrl"]
            arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
                "QueueArn"
            ]
            outputs |= {f"{label}{kind}Url": url, f"{label}{kind}Arn": arn}
            policy = {"deadLetterTargetArn": arn, "maxReceiveCount": 10}
            attributes = {"RedrivePolicy": json.dumps(policy)}
    return outputs


def _table(dynamodb: Any, name: str, keys: tuple[str, str]) -> str:
    texts = [{"AttributeName": key, "AttributeType": "S"} for key in keys]
    index: dict[str, Any] = {}
    if keys == LEDGER_KEYS:
        texts += [
            {"AttributeName": "job_status", "AttributeType": "S"},
            {"AttributeName": "status_since", "AttributeType": "N"},
        ]
        index["GlobalSecondaryIndexes"] = [
            {
                "IndexName": "jobs-by-status",
                "KeySchema": [
                    {"AttributeName": "job_status", "KeyType": "HASH"},
                    {"AttributeName": "status_since", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ]
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=texts,
        KeySchema=[
            {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=True)
        ],
        **index,
    )
    return name


def _cluster(ecs: Any, unique: str) -> str:
    cluster = f"cluster-{unique}"
    ecs.create_cluster(clusterName=cluster)
    for service in ("orchestrator", "worker"):
        family = f"{service}-{unique}"
        ecs.register_task_definition(
            family=family,
            containerDefinitions=[
                {
                    "name": "app",
                    "image": "image",
                    "memory": 512,
                    "environment": [{"name": "SERVICE_MODE", "value": service}],
                }
            ],
        )
        ecs.create_service(cluster=cluster, serviceName=service, taskDefinition=family, desiredCount=1)
    return cluster
