"""An operator's actions on the deployed system: send work, look at queues, ledger and objects.

Every name is an output of the stacks.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

Queue = Literal["ExportJobs", "DownloadTasks"]

_METADATA_BATCH = 25
# Long enough to read a DLQ to its end, after which the messages are made visible again.
_LOOK_S = 30


class Operations(ABC):
    """Mixed into something deployed, which has `client` and `output`."""

    @abstractmethod
    def client(self, service: str) -> Any:
        """An operator's client of an AWS service."""

    @abstractmethod
    def output(self, key: str) -> str:
        """The value of a stack's output."""

    def send_export_jobs(self, *job_ids: str, correlation_id: str | None = None) -> str:
        """Put one message on `export-jobs`; returns its body."""
        message: dict[str, Any] = {"export_job_ids": list(job_ids)}
        if correlation_id is not None:
            message["correlation_id"] = correlation_id
        body = json.dumps(message)
        self.client("sqs").send_message(QueueUrl=self.output("ExportJobsQueueUrl"), MessageBody=body)
        return body

    def send_raw(self, queue: Queue, body: str, **attributes: str) -> None:
        """Put any body on a queue, with attributes that are strings."""
        self.client("sqs").send_message(
            QueueUrl=self.output(f"{queue}QueueUrl"),
            MessageBody=body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        )

    def depths(self) -> dict[str, tuple[int, int]]:
        """(waiting or delayed, in flight) of the four queues."""
        depths = {}
        for label, queue in (("export-jobs", "ExportJobs"), ("download-tasks", "DownloadTasks")):
            for suffix, kind in (("", "Queue"), (" DLQ", "Dlq")):
                values = self.client("sqs").get_queue_attributes(
                    QueueUrl=self.output(f"{queue}{kind}Url"), AttributeNames=["All"]
                )["Attributes"]
                waiting = int(values["ApproximateNumberOfMessages"])
                waiting += int(values["ApproximateNumberOfMessagesDelayed"])
                depths[label + suffix] = (waiting, int(values["ApproximateNumberOfMessagesNotVisible"]))
        return depths

    def queued(self) -> int:
        """How many messages the two work queues hold: waiting, put off, or in flight."""
        depths = self.depths()
        return sum(sum(depth) for queue, depth in depths.items() if not queue.endswith("DLQ"))

    def parked(self, queue: Queue) -> list[dict[str, str]]:
        """The messages of a queue's DLQ: `body` and each attribute by name. They are left there."""
        sqs, url = self.client("sqs"), self.output(f"{queue}DlqUrl")
        found: list[dict[str, str]] = []
        handles: list[str] = []
        while batch := sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=_LOOK_S,
            WaitTimeSeconds=0,
            MessageAttributeNames=["All"],
        ).get("Messages"):
            for message in batch:
                attributes = message.get("MessageAttributes", {})
                texts = {
                    name: value["StringValue"] for name, value in attributes.items() if "StringValue" in value
                }
                found.append({"body": message["Body"], **texts})
                handles.append(message["ReceiptHandle"])
        for handle in handles:
            sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
        return found

    def ledger(self, job_id: str) -> list[dict[str, Any]]:
        """Everything the ledger says about a job, with one query, as plain values."""
        read = TypeDeserializer().deserialize
        pages = self.client("dynamodb").get_paginator("query").paginate(
            TableName=self.output("LedgerTableName"),
            KeyConditionExpression="export_job_id = :job",
            ExpressionAttributeValues={":job": {"S": job_id}},
            ConsistentRead=True,
        )  # fmt: skip
        return [{key: read(value) for key, value in item.items()} for page in pages for item in page["Items"]]

    def ledger_job(self, job_id: str) -> dict[str, Any]:
        """The ledger's item of a job itself; empty when it has never heard of it."""
        read = TypeDeserializer().deserialize
        answer = self.client("dynamodb").get_item(
            TableName=self.output("LedgerTableName"),
            Key={"export_job_id": {"S": job_id}, "item": {"S": "JOB"}},
            ConsistentRead=True,
        )
        return {key: read(value) for key, value in answer.get("Item", {}).items()}

    def put_metadata(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Fill the metadata table, as its owners would."""
        write = TypeSerializer().serialize
        requests = [
            {"PutRequest": {"Item": {key: write(value) for key, value in item.items()}}} for item in items
        ]
        for start in range(0, len(requests), _METADATA_BATCH):
            batch = {self.output("MetadataTableName"): requests[start : start + _METADATA_BATCH]}
            while batch:
                batch = self.client("dynamodb").batch_write_item(RequestItems=batch)["UnprocessedItems"]

    def objects(self, prefix: str = "") -> dict[str, int]:
        """Keys and sizes in the bucket."""
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(
            Bucket=self.output("BucketName"), Prefix=prefix
        )  # fmt: skip
        return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", ())}

    def get_object(self, key: str) -> Any:
        """S3's answer for an object: `Body` to read from, `Metadata` and the rest. Raises ClientError."""
        return self.client("s3").get_object(Bucket=self.output("BucketName"), Key=key)
