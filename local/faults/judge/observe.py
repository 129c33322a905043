"""The state after a run, as plain values: read with an operator's clients, judged by `checker`.

The ledger's history comes from a DynamoDB stream: every write, with the item before and after it.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

Clients = Callable[[str], Any]
_READ_BYTES = 1 << 20
_READERS = 8
_SOURCE = "export-processing"
_TEXT = (".json", ".jsonl")
_read = TypeDeserializer().deserialize


@dataclass(kw_only=True)
class Observation:
    """The end of a run."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)  # key → metadata; size, sha256 or text
    ledger: list[dict[str, Any]] = field(default_factory=list)
    transitions: list[dict[str, Any]] = field(default_factory=list)  # export_job_id, item, from, to
    events: list[dict[str, Any]] = field(default_factory=list)  # type, detail
    parked: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # queue → body, attributes
    left_on_queues: dict[str, int] = field(default_factory=dict)
    object_writes: dict[str, int] = field(default_factory=dict)  # key → how often it was written
    first_written: dict[str, float] = field(default_factory=dict)  # key → when, in seconds since 1970
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


def subscribe(clients: Clients, bus: str) -> str:
    """Have every event of the services kept on a queue from now on; returns its URL."""
    sqs, events = clients("sqs"), clients("events")
    url = str(sqs.create_queue(QueueName="observed-events")["QueueUrl"])
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = json.dumps({"source": [_SOURCE]})
    events.put_rule(Name="observed-events", EventBusName=bus, EventPattern=pattern)
    target = {"Id": "observed-events", "Arn": arn}
    events.put_targets(Rule="observed-events", EventBusName=bus, Targets=[target])
    return url


def heard(sqs: Any, url: str) -> list[dict[str, Any]]:
    """The events on the queue of `subscribe`: type and detail."""
    events = (json.loads(message["body"]) for message in messages(sqs, url))
    return [{"type": event["detail-type"], "detail": event["detail"]} for event in events]


def journalled(journal: Path) -> list[dict[str, Any]]:
    """The same, where a fault proxy keeps a journal of what EventBridge took."""
    return [
        {"type": entry["type"], "detail": json.loads(entry["detail"])}
        for entry in _entries(journal, "event")
        if entry["source"] == _SOURCE
    ]


def object_writes(journal: Path) -> dict[str, int]:
    """How often each key was written, by a fault proxy's journal."""
    return dict(Counter(entry["key"] for entry in _entries(journal, "object")))


def first_written(journal: Path) -> dict[str, float]:
    """When each key was first written, by the same journal."""
    moments: dict[str, float] = {}
    for entry in _entries(journal, "object"):
        moments.setdefault(entry["key"], float(entry["at"]))
    return moments


def observe(
    clients: Clients,
    places: Places,
    *,
    events: list[dict[str, Any]],
    writes: Mapping[str, int] | None = None,
    first_written: Mapping[str, float] | None = None,
) -> Observation:
    """Read everything. Nothing may move meanwhile."""
    s3, sqs = clients("s3"), clients("sqs")
    uploads = s3.list_multipart_uploads(Bucket=places.bucket).get("Uploads", ())
    return Observation(
        objects=dict(_objects(s3, places.bucket)),
        ledger=list(_items(clients("dynamodb"), places.ledger)),
        transitions=list(_transitions(clients("dynamodbstreams"), places.ledger)),
        events=events,
        object_writes=dict(writes or {}),
        first_written=dict(first_written or {}),
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


def ledger_item(dynamodb: Any, table: str, partition: str, key: str) -> dict[str, Any]:
    """An item of the ledger; empty where there is none."""
    answer = dynamodb.get_item(
        TableName=table, Key={"export_job_id": {"S": partition}, "item": {"S": key}}, ConsistentRead=True
    )
    return _plain(answer.get("Item", {}))


def messages(sqs: Any, url: str) -> Iterator[dict[str, Any]]:
    """The messages that a queue shows, once each; they stay hidden for a minute, so read a queue once."""
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
            texts = {name: value.get("StringValue") for name, value in attributes.items()}
            yield {"body": message["Body"], "attributes": texts}


def _objects(s3: Any, bucket: str) -> Iterator[tuple[str, dict[str, Any]]]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
    with ThreadPoolExecutor(_READERS) as readers:
        yield from zip(keys, readers.map(lambda key: _object(s3, bucket, key), keys), strict=True)


def _object(s3: Any, bucket: str, key: str) -> dict[str, Any]:
    answer = s3.get_object(Bucket=bucket, Key=key)
    seen: dict[str, Any] = {"metadata": answer["Metadata"]}
    if key.startswith("manifests/") and key.endswith(_TEXT):
        return {**seen, "text": answer["Body"].read().decode("utf-8", "replace")}
    size, digest = 0, hashlib.sha256()
    for piece in answer["Body"].iter_chunks(_READ_BYTES):
        size += len(piece)
        digest.update(piece)
    return {**seen, "size": size, "sha256": digest.hexdigest()}


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
