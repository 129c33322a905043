"""Sends many messages in as few calls as SQS allows.

It notices those that a 200 answer says it did not take. One message that SQS refuses holds no other back.
"""

import hashlib
import logging
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runtime.shared.backoff import Backoff
from runtime.shared.consumer.sqs_limits import MAX_BATCH, MAX_MESSAGE_BYTES

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

ATTEMPTS = 6
# "MessageGroupId" in the SQS API Reference: alphanumeric and punctuation characters, and no space.
_GROUP_ID = re.compile(r"[!-~]{1,128}")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to send; `attributes` are strings, `group_id` is any text."""

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


class MessagesRefused(NotSent):
    """SQS will never take these messages as they are; every other one was sent."""

    def __init__(self, queue_url: str, refused: Sequence[tuple[Outgoing, str]]) -> None:
        super().__init__(f"{queue_url} refuses {len(refused)} messages: {refused[0][1]}")
        self.refused = tuple(refused)
        """Each message with SQS's reason."""


def send_all(
    sqs: "SQSClient",
    queue_url: str,
    messages: Iterable[Outgoing],
    *,
    sleep: Callable[[float], None] = time.sleep,
    uniform: Callable[[float, float], float] = random.uniform,
) -> int:
    """Send every message and return how many; memory holds one batch.

    Raises NotSent, or the client's errors, at the first batch that does not go out; MessagesRefused when all
    others have been sent.
    """
    sent = 0
    refused: list[tuple[Outgoing, str]] = []
    for batch in batches(_taken(messages, refused)):
        pending: Sequence[Outgoing] = batch
        backoff = Backoff(sleep, attempts=ATTEMPTS, base_s=0.1, max_s=3, uniform=uniform)
        while pending := _send(sqs, queue_url, pending, refused):
            _log.warning("%d of %d messages were not taken; sending them again", len(pending), len(batch))
            if not backoff.failed():
                raise NotSent(f"{len(pending)} messages were not taken by {queue_url} in {ATTEMPTS} attempts")
        sent += len(batch)
    if refused:
        raise MessagesRefused(queue_url, refused)
    return sent


def _taken(messages: Iterable[Outgoing], refused: list[tuple[Outgoing, str]]) -> Iterator[Outgoing]:
    """Those not longer than SQS takes: one too long would have the whole call refused, others included."""
    for message in messages:
        if message.size > MAX_MESSAGE_BYTES:
            refused.append((message, f"it has {message.size} bytes, SQS takes {MAX_MESSAGE_BYTES}"))
        else:
            yield message


def group_id_for(text: str) -> str:
    """The text where SQS takes it as a `MessageGroupId`, else a hash of it: the same text, the same group."""
    if _GROUP_ID.fullmatch(text):
        return text
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def batches(messages: Iterable[Outgoing]) -> Iterator[list[Outgoing]]:
    """Groups of at most ten messages and 1 MiB, in order."""
    batch: list[Outgoing] = []
    size = 0
    for message in messages:
        its_size = message.size
        if batch and (len(batch) == MAX_BATCH or size + its_size > MAX_MESSAGE_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += its_size
    if batch:
        yield batch


def _send(
    sqs: "SQSClient",
    queue_url: str,
    messages: Sequence[Outgoing],
    refused: list[tuple[Outgoing, str]],
) -> list[Outgoing]:
    """One call; returns what was not taken and adds to `refused` what never will be."""
    entries: list[Any] = []
    for number, message in enumerate(messages):
        entry: dict[str, Any] = {"Id": str(number), "MessageBody": message.body}
        if message.group_id:
            entry["MessageGroupId"] = group_id_for(message.group_id)
        if message.attributes:
            entry["MessageAttributes"] = {
                name: {"DataType": "String", "StringValue": value}
                for name, value in message.attributes.items()
            }
        entries.append(entry)
    answer = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)
    again: list[Outgoing] = []
    for failure in answer.get("Failed", []):
        message = messages[int(failure["Id"])]
        if failure.get("SenderFault"):
            _log.error("SQS refuses a message: %s: %s", failure.get("Code"), failure.get("Message", ""))
            refused.append((message, f"{failure.get('Code')}: {failure.get('Message', '')}"))
        else:
            again.append(message)
    return again
