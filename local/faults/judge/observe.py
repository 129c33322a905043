"""What is there after a campaign, as plain values: read with an operator's clients, judged by `checker`.

The ledger's history comes from a DynamoDB stream: every write, with the item before and after it.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

Clients = Callable[[str], Any]
_TEXT = (".json", ".jsonl")
_read = TypeDeserializer().deserialize


@dataclass
class Observation:
    """The end of a campaign."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)  # key → size, sha256, metadata, text?
    ledger: list[dict[str, Any]] = field(default_factory=list)
    transitions: list[dict[str, Any]] = field(default_factory=list)  # export_job_id, item, from, to
    events: list[dict[str, Any]] = field(default_factory=list)  # type, detail
    parked: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # queue → body, reason, …
    left_on_queues: dict[str, int] = field(default_factory=dict)
    object_writes: dict[str, int] = field(default_factory=dict)  # key → how often it was written
    uploads_left: int = 0

    def to_plain(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Places:
    """Where to look: names as the stacks gave them."""

    bucket: str
    ledger: str
    queues: Mapping[str, str]  # name → URL
    dlqs: Mapping[str, str]


def record_ledger(clients: Clients, table: str) -> None:
    """Switch the stream on; before the first write, or history begins later."""
    specification = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    clients("dynamodb").update_table(TableName=table, StreamSpecification=specification)


def observe(clients: Clients, places: Places, journal: Path) -> Observation:
    """Read everything. The services must have ended: nothing may move meanwhile."""
    s3, sqs = clients("s3"), clients("sqs")
    uploads = s3.list_multipart_uploads(Bucket=places.bucket).get("Uploads", ())
    return Observation(
        objects=dict(_objects(s3, places.bucket)),
        ledger=list(_items(clients("dynamodb"), places.ledger)),
        transitions=list(_transitions(clients("dynamodbstreams"), places.ledger)),
        events=list(_events(journal)),
        object_writes=dict(Counter(entry["key"] for entry in _entries(journal, "object"))),
        parked={name: list(messages(sqs, url)) for name, url in places.dlqs.items()},
        left_on_queues={name: sum(depth(sqs, url)) for name, url in places.queues.items()},
        uploads_left=len(uploads),
    )


def depth(sqs: Any, url: str) -> tuple[int, int]:
    """(waiting or delayed, in flight)."""
    values = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    waiting = int(values["ApproximateNumberOfMessages"])
    delayed = int(values.get("ApproximateNumberOfMessagesDelayed", 0))
    return waiting + delayed, int(values["ApproximateNumberOfMessagesNotVisible"])


def messages(sqs: Any, url: str) -> Iterator[dict[str, Any]]:
    """What a queue shows, once each; it stays hidden for a minute, so read a queue once."""
    while True:
        batch = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=60,
            WaitTimeSeconds=0,  # the queue itself would wait for 20 s
            MessageAttributeNames=["All"],
            AttributeNames=["All"],
        ).get("Messages", ())
        if not batch:
            return
        for message in batch:
            attributes = message.get("MessageAttributes", {})
            yield {
                "body": message["Body"],
                **{name: value.get("StringValue") for name, value in attributes.items()},
            }


def _objects(s3: Any, bucket: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for item in page.get("Contents", ()):
            answer = s3.get_object(Bucket=bucket, Key=item["Key"])
            data: bytes = answer["Body"].read()
            seen = {
                "size": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
                "metadata": answer["Metadata"],
            }
            if item["Key"].startswith("manifests/") and item["Key"].endswith(_TEXT):
                seen["text"] = data.decode("utf-8", "replace")
            yield item["Key"], seen


def _items(dynamodb: Any, table: str) -> Iterator[dict[str, Any]]:
    for page in dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        yield from (_plain(item) for item in page["Items"])


def _transitions(streams: Any, table: str) -> Iterator[dict[str, Any]]:
    """Every write that changed a status, in order."""
    (stream,) = streams.list_streams(TableName=table)["Streams"]
    described = streams.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]
    for shard in described["Shards"]:
        iterator = streams.get_shard_iterator(
            StreamArn=stream["StreamArn"], ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while True:
            answer = streams.get_records(ShardIterator=iterator, Limit=1000)
            if not answer["Records"]:
                break
            iterator = answer["NextShardIterator"]
            for record in answer["Records"]:
                change = record["dynamodb"]
                before, after = _plain(change.get("OldImage", {})), _plain(change.get("NewImage", {}))
                if before.get("status") != after.get("status"):
                    yield {**_plain(change["Keys"]), "from": before, "to": after}


def _events(journal: Path) -> Iterator[dict[str, Any]]:
    for entry in _entries(journal, "event"):
        if entry["source"] == "export-processing":
            yield {"type": entry["type"], "detail": json.loads(entry["detail"])}


def _entries(journal: Path, kind: str) -> Iterator[dict[str, Any]]:
    entries = map(json.loads, journal.read_text().splitlines())
    return (entry for entry in entries if entry["kind"] == kind)


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _number(_read(value)) for name, value in item.items()}


def _number(value: Any) -> Any:
    # Decimals come back from boto3; JSON and comparisons want numbers.
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Mapping):
        return {key: _number(part) for key, part in value.items()}
    return [_number(part) for part in value] if isinstance(value, list) else value
