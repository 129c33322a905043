"""Sends many messages in as few calls as SQS allows, and notices those that a 200 answer says it did not
take.
"""

import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runtime.shared.backoff import Backoff

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MAX_ENTRIES = 10
MAX_BATCH_BYTES = 1_048_576
ATTEMPTS = 6

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to send; `attributes` are strings."""

    body: str
    group_id: str | None = None
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return len(self.body.encode()) + sum(
            len(name) + len("String") + len(value.encode()) for name, value in self.attributes.items()
        )


class NotSent(Exception):
    """Some messages were not taken; the others were, so the caller's retry sends those twice."""


def send_all(
    sqs: "SQSClient",
    queue_url: str,
    messages: Iterable[Outgoing],
    *,
    sleep: Callable[[float], None] = time.sleep,
    uniform: Callable[[float, float], float] = random.uniform,
) -> int:
    """Send every message and return how many; memory holds one batch. Raises NotSent or the client's
    errors.
    """
    sent = 0
    for batch in batches(messages):
        pending: Sequence[Outgoing] = batch
        backoff = Backoff(sleep, attempts=ATTEMPTS, base_s=0.1, max_s=3, uniform=uniform)
        while pending := _send(sqs, queue_url, pending):
            _log.warning("%d of %d messages were not taken; sending them again", len(pending), len(batch))
            if not backoff.failed():
                raise NotSent(f"{len(pending)} messages were not taken by {queue_url} in {ATTEMPTS} attempts")
        sent += len(batch)
    return sent


def batches(messages: Iterable[Outgoing]) -> Iterator[list[Outgoing]]:
    """Groups of at most ten messages and 1 MiB, in order."""
    batch: list[Outgoing] = []
    size = 0
    for message in messages:
        if batch and (len(batch) == MAX_ENTRIES or size + message.size > MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += message.size
    if batch:
        yield batch


def _send(sqs: "SQSClient", queue_url: str, messages: Sequence[Outgoing]) -> list[Outgoing]:
    """One call; returns what was not taken. Raises NotSent for what never will be."""
    entries: list[Any] = []
    for number, message in enumerate(messages):
        entry: dict[str, Any] = {"Id": str(number), "MessageBody": message.body}
        if message.group_id is not None:
            entry["MessageGroupId"] = message.group_id
        if message.attributes:
            entry["MessageAttributes"] = {
                name: {"DataType": "String", "StringValue": value}
                for name, value in message.attributes.items()
            }
        entries.append(entry)
    answer = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)
    failed = answer.get("Failed", [])
    refused = [failure for failure in failed if failure.get("SenderFault")]
    if refused:
        raise NotSent(
            f"{queue_url} refuses a message: {refused[0].get('Code')}: {refused[0].get('Message', '')}"
        )
    return [messages[int(failure["Id"])] for failure in failed]
