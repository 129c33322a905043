"""Parked messages: looked at and left there, sent back, or dropped after being written to a file.

Looking is receiving for a short while. SQS shows a message to one reader at a time, so two who look at once
each see a part of it.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from ops.fleet.advice import CRASHED, of_parking
from ops.fleet.documents import Moved, ParkedGroup, ParkedList, ParkedMessage, ParkedMessages
from ops.fleet.environment import Fleet
from ops.fleet.queues import arn_of, url_of
from ops.fleet.refusals import Declined, Unusable

LOOK_BOUND = 2_000
MOST_PER_S = 500
"""What SQS moves at most."""
_BATCH = 10
_LONG_BYTES = 512 * 1024
# Longer than it takes to go through what is waiting; what is held longer is seen again, and known by its id.
_HELD_S = 120
_EMPTY_ANSWERS = 2
_UNDER_WAY = ("RUNNING", "CANCELLING")
_POLL_S = 1.0
_SENT = ("DataType", "StringValue", "BinaryValue")
_SYSTEM = ("SentTimestamp", "MessageGroupId")
Raw = Mapping[str, Any]


@dataclass(frozen=True)
class Selection:
    """The messages of these queues' DLQs that are meant; what is empty does not select.

    `reason` may be `no reason`.
    """

    queues: tuple[str, ...]
    reason: str = ""
    job: str = ""
    message_id: str = ""
    """Or its beginning."""

    def holds(self, message: ParkedMessage) -> bool:
        return (
            self.reason in ("", message.reason or CRASHED)
            and self.job in ("", message.export_job_id)
            and message.message_id.startswith(self.message_id)
        )

    @property
    def everything(self) -> bool:
        return not (self.reason or self.job or self.message_id)


def listed(fleet: Fleet, selection: Selection, *, bound: int = LOOK_BOUND) -> ParkedList:
    """The messages by queue and reason, the largest group first."""
    return grouped(fleet, shown(fleet, selection, bound=bound))


def grouped(fleet: Fleet, found: ParkedMessages) -> ParkedList:
    """The same messages by queue and reason."""
    kept = {queue: _retention(fleet, queue) for queue in {message.queue for message in found.messages}}
    groups: dict[tuple[str, str], list[ParkedMessage]] = {}
    for message in found.messages:
        groups.setdefault((message.queue, message.reason), []).append(message)
    documents = [_group(queue, reason, messages, kept[queue]) for (queue, reason), messages in groups.items()]
    documents.sort(key=lambda group: -group.messages)
    return ParkedList(groups=documents, looked_at=found.looked_at, waiting=found.waiting)


def shown(fleet: Fleet, selection: Selection, *, bound: int = LOOK_BOUND) -> ParkedMessages:
    """The messages themselves, the newest first; at most `bound` of each queue are looked at."""
    messages = []
    for queue in selection.queues:
        with _held(fleet, queue, bound) as (batches, _):
            messages += [parked_of(queue, raw) for batch in batches for raw in batch]
    chosen = sorted(filter(selection.holds, messages), key=_parked_at, reverse=True)
    waiting = sum(_waiting(fleet, queue) for queue in selection.queues)
    return ParkedMessages(messages=chosen, looked_at=len(messages), waiting=max(waiting, len(messages)))


def redrive(
    fleet: Fleet,
    selection: Selection,
    *,
    rate: int | None = None,
    dry_run: bool = False,
    progress: Callable[[int], None] = lambda _moved: None,
) -> Moved:
    """Send the chosen messages back to their queue, at most `rate` a second.

    A whole queue is moved by SQS itself, and goes on being moved if nobody waits; a choice by receiving,
    sending and only then deleting: a crash in between leaves a message twice, which the services know how
    to take, and never none. Raises Unusable, Declined, botocore's errors.
    """
    if rate is not None and not 1 <= rate <= MOST_PER_S:
        raise Unusable(f"a rate is between 1 and {MOST_PER_S} messages a second, not {rate}")
    if dry_run:
        return _would("redrive", fleet, selection)
    if selection.everything:
        return _move_whole(fleet, selection, rate, progress)

    def send(queue: str, chosen: Sequence[Raw]) -> list[Raw]:
        if rate:
            time.sleep(len(chosen) / rate)
        return _send(fleet, queue, chosen)

    return _take_away("redrive", fleet, selection, send, progress)


def drop(
    fleet: Fleet,
    selection: Selection,
    file: Path,
    *,
    dry_run: bool = False,
    progress: Callable[[int], None] = lambda _moved: None,
) -> Moved:
    """Delete the chosen messages, each once its line is on disk in `file` (JSON lines; appended to)."""
    if dry_run:
        return _would("drop", fleet, selection)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as kept:

        def keep(queue: str, chosen: Sequence[Raw]) -> list[Raw]:
            kept.writelines(parked_of(queue, raw).model_dump_json() + "\n" for raw in chosen)
            kept.flush()
            return list(chosen)

        moved = _take_away("drop", fleet, selection, keep, progress)
    return moved.model_copy(update={"file": str(file)})


def parked_of(queue: str, raw: Raw) -> ParkedMessage:
    """A received message as a document; bodies may be anything."""
    texts = {name: value.get("StringValue", "") for name, value in raw.get("MessageAttributes", {}).items()}
    task = _named(raw["Body"])
    sent_ms = raw.get("Attributes", {}).get("SentTimestamp")
    return ParkedMessage(
        queue=queue,
        message_id=raw["MessageId"],
        reason=texts.get("reason", ""),
        error=texts.get("error", ""),
        service=texts.get("service", ""),
        export_job_id=task.get("export_job_id", task.get("count_job", "")),
        task_id=task.get("task_id", ""),
        file_id=task.get("file_id", ""),
        correlation_id=texts.get("correlation_id") or task.get("correlation_id", ""),
        first_seen=_iso(texts.get("first_seen")),
        parked_at=datetime.fromtimestamp(int(sent_ms) / 1000, UTC) if sent_ms else None,
        body=raw["Body"],
    )


def _named(body: str) -> dict[str, str]:
    """The ids in a body, as far as there are any."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    found = {name: value for name, value in document.items() if isinstance(value, str)}
    ids = document.get("export_job_ids")
    if isinstance(ids, list) and len(ids) == 1 and isinstance(ids[0], str):
        found["export_job_id"] = ids[0]
    return found


def _iso(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _parked_at(message: ParkedMessage) -> datetime:
    return message.parked_at or datetime.min.replace(tzinfo=UTC)


def _retention(fleet: Fleet, queue: str) -> timedelta:
    name = "MessageRetentionPeriod"
    url = url_of(fleet, queue, dlq=True)
    answer = fleet.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])
    return timedelta(seconds=int(answer["Attributes"][name]))


def _group(queue: str, reason: str, messages: Sequence[ParkedMessage], kept: timedelta) -> ParkedGroup:
    moments = sorted(message.parked_at for message in messages if message.parked_at is not None)
    newest = max(messages, key=_parked_at)
    return ParkedGroup(
        queue=queue,
        reason=reason,
        messages=len(messages),
        jobs=len({message.export_job_id for message in messages} - {""}),
        oldest=moments[0] if moments else None,
        newest=moments[-1] if moments else None,
        error=newest.error.partition("\n")[0],
        advice=of_parking(reason),
        deleted_from=moments[0] + kept if moments else None,
    )


@contextmanager
def _held(fleet: Fleet, queue: str, bound: int | None) -> Iterator[tuple[Iterator[list[Raw]], set[str]]]:
    """A DLQ's messages, batch after batch, and a set for the ids of those that are not to be given back."""
    sqs, url = fleet.client("sqs"), url_of(fleet, queue, dlq=True)
    receipts: dict[str, str] = {}
    taken_away: set[str] = set()

    def batches() -> Iterator[list[Raw]]:
        empty = 0
        # An empty answer is no proof on a queue of many servers; two in a row are good enough.
        while empty < _EMPTY_ANSWERS and (bound is None or len(receipts) < bound):
            answer = sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=_BATCH,
                VisibilityTimeout=_HELD_S,
                WaitTimeSeconds=0,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=list(_SYSTEM),
            )
            fresh = [raw for raw in answer.get("Messages", ()) if raw["MessageId"] not in receipts]
            receipts.update((raw["MessageId"], raw["ReceiptHandle"]) for raw in answer.get("Messages", ()))
            empty = 0 if fresh else empty + 1
            if fresh:
                yield fresh

    try:
        yield batches(), taken_away
    finally:
        left = [receipt for message_id, receipt in receipts.items() if message_id not in taken_away]
        for start in range(0, len(left), _BATCH):
            entries = [
                {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                for number, receipt in enumerate(left[start : start + _BATCH])
            ]
            sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)


def _take_away(
    action: str,
    fleet: Fleet,
    selection: Selection,
    act: Callable[[str, Sequence[Raw]], list[Raw]],
    progress: Callable[[int], None],
) -> Moved:
    """`act` makes each batch durable elsewhere and says which of it is; only that is deleted."""
    reasons: Counter[str] = Counter()
    failed = 0
    for queue in selection.queues:
        url = url_of(fleet, queue, dlq=True)
        with _held(fleet, queue, None) as (batches, taken_away):
            for batch in batches:
                chosen = [raw for raw in batch if selection.holds(parked_of(queue, raw))]
                if not chosen:
                    continue
                safe = act(queue, chosen)
                entries = [
                    {"Id": str(number), "ReceiptHandle": raw["ReceiptHandle"]}
                    for number, raw in enumerate(safe)
                ]
                if entries:
                    fleet.client("sqs").delete_message_batch(QueueUrl=url, Entries=entries)
                failed += len(chosen) - len(safe)
                taken_away.update(raw["MessageId"] for raw in safe)
                reasons.update(parked_of(queue, raw).reason or CRASHED for raw in safe)
                progress(reasons.total())
    return Moved(
        action=action, dry_run=False, messages=reasons.total(), failed=failed, by_reason=dict(reasons)
    )


def _would(action: str, fleet: Fleet, selection: Selection) -> Moved:
    reasons: Counter[str] = Counter()
    for queue in selection.queues:
        with _held(fleet, queue, None) as (batches, _):
            messages = (parked_of(queue, raw) for batch in batches for raw in batch)
            reasons.update(message.reason or CRASHED for message in messages if selection.holds(message))
    return Moved(action=action, dry_run=True, messages=reasons.total(), by_reason=dict(reasons))


def _move_whole(
    fleet: Fleet, selection: Selection, rate: int | None, progress: Callable[[int], None]
) -> Moved:
    limit: dict[str, Any] = {"MaxNumberOfMessagesPerSecond": rate} if rate else {}
    handles = {}
    for queue in selection.queues:
        if not _waiting(fleet, queue):
            continue
        try:
            answer = fleet.client("sqs").start_message_move_task(
                SourceArn=arn_of(fleet, queue, dlq=True), DestinationArn=arn_of(fleet, queue), **limit
            )
        except ClientError as error:
            if "active" in str(error.response["Error"].get("Message", "")).lower():
                raise Declined(f"the {queue} DLQ is being moved already: SQS moves a queue once") from error
            raise
        handles[queue] = answer["TaskHandle"]
    moved = _moved(fleet, handles)
    while any(task["Status"] in _UNDER_WAY for task in moved):
        progress(_count(moved))
        time.sleep(_POLL_S)
        moved = _moved(fleet, handles)
    for task in moved:
        if task["Status"] == "FAILED":
            raise Declined(
                f"SQS stopped moving {task['SourceArn']}: {task.get('FailureReason', 'no reason')}"
            )
    return Moved(
        action="redrive", dry_run=False, messages=_count(moved), task_handle=" ".join(handles.values())
    )


def _moved(fleet: Fleet, queues: Iterable[str]) -> list[Raw]:
    """The newest move task of each queue's DLQ."""
    sqs = fleet.client("sqs")
    return [
        sqs.list_message_move_tasks(SourceArn=arn_of(fleet, queue, dlq=True), MaxResults=1)["Results"][0]
        for queue in queues
    ]


def _count(moved: Iterable[Raw]) -> int:
    return sum(int(task.get("ApproximateNumberOfMessagesMoved", 0)) for task in moved)


def _waiting(fleet: Fleet, queue: str) -> int:
    name = "ApproximateNumberOfMessages"
    url = url_of(fleet, queue, dlq=True)
    answer = fleet.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])
    return int(answer["Attributes"][name])


def _send(fleet: Fleet, queue: str, chosen: Sequence[Raw]) -> list[Raw]:
    """Copies to the queue itself; those that it took."""
    # The limit is on a batch as a whole, attributes included: long bodies travel alone.
    long = sum(len(raw["Body"].encode()) for raw in chosen) > _LONG_BYTES
    sent: list[Raw] = []
    for batch in [[raw] for raw in chosen] if long else [chosen]:
        entries = [_copy(str(number), raw) for number, raw in enumerate(batch)]
        answer = fleet.client("sqs").send_message_batch(QueueUrl=url_of(fleet, queue), Entries=entries)
        sent += [batch[int(entry["Id"])] for entry in answer.get("Successful", ())]
    return sent


def _copy(entry_id: str, raw: Raw) -> dict[str, Any]:
    # The attributes go along: by its `reason` the consumer knows a redriven message, and measures it anew.
    attributes = {
        name: {part: value[part] for part in _SENT if part in value}
        for name, value in raw.get("MessageAttributes", {}).items()
    }
    entry: dict[str, Any] = {"Id": entry_id, "MessageBody": raw["Body"], "MessageAttributes": attributes}
    if group := raw.get("Attributes", {}).get("MessageGroupId"):
        entry["MessageGroupId"] = group
    return entry
