"""The requests that SQS refuses and moto takes, by quotas and character rules of the SQS API Reference.

They stand before moto, so that a message which production would refuse is refused on this machine.

- a message: 1 to 1,048,576 bytes with its attributes, of XML's characters; at most ten attributes
- `MessageGroupId`: 1 to 128 alphanumeric or punctuation characters; `DelaySeconds`: 0 to 900
- a batch: 1,048,576 bytes altogether; what is wrong with one entry fails that entry and no other
- in flight: 120,000 messages a queue; beyond that a short poll fails and a long poll brings nothing

moto itself checks the number of entries in a batch, their ids, and the ranges of what a receive asks for.
Receipts, whose rules need a clock, are the fault proxy's (`local.faults.proxy.receipts`).
"""

import base64
import re
from collections.abc import Mapping
from typing import Any

from moto.sqs.exceptions import BatchRequestTooLong, InvalidParameterValue, MissingParameter, SQSException
from moto.sqs.models import Message, SQSBackend

MAX_MESSAGE_BYTES = 1_048_576
MAX_ATTRIBUTES = 10
MAX_DELAY_S = 900
MAX_IN_FLIGHT = 120_000

_GROUP_ID = re.compile(r"[!-~]{1,128}")
_NOT_ALLOWED = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class OverLimit(SQSException):
    """A short poll of a queue that has as much in flight as SQS allows."""

    def __init__(self) -> None:
        super().__init__("OverLimit", "Too many messages are in flight; delete some before receiving more.")


def refusal(entry: Mapping[str, Any]) -> SQSException | None:
    """Why SQS would not take this message (`MessageBody`, `MessageAttributes`, …), or None."""
    body = str(entry.get("MessageBody") or "")
    attributes = entry.get("MessageAttributes") or {}
    group_id = entry.get("MessageGroupId")
    delay_s = int(entry.get("DelaySeconds") or 0)
    if not body:
        return MissingParameter("MessageBody")
    if _NOT_ALLOWED.search(body):
        return InvalidParameterValue("Invalid binary character found in the message body.")
    if len(attributes) > MAX_ATTRIBUTES:
        return InvalidParameterValue(
            f"Number of message attributes [{len(attributes)}] exceeds the "
            f"allowed maximum [{MAX_ATTRIBUTES}]."
        )
    if message_bytes(entry) > MAX_MESSAGE_BYTES:
        return InvalidParameterValue(
            "One or more parameters are invalid. Reason: Message must be shorter than "
            f"{MAX_MESSAGE_BYTES} bytes."
        )
    if group_id is not None and not _GROUP_ID.fullmatch(group_id):
        return InvalidParameterValue(
            f"Value {group_id} for parameter MessageGroupId is invalid. Reason: MessageGroupId can only "
            "include alphanumeric and punctuation characters. 1 to 128 in length."
        )
    if not 0 <= delay_s <= MAX_DELAY_S:
        return InvalidParameterValue(
            f"Value {delay_s} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and "
            f"<= {MAX_DELAY_S}."
        )
    return None


def message_bytes(entry: Mapping[str, Any]) -> int:
    """The body and each attribute's name, type and value."""
    size = len(str(entry.get("MessageBody") or "").encode(errors="replace"))
    for name, value in (entry.get("MessageAttributes") or {}).items():
        size += len(name.encode()) + len(value.get("DataType", "").encode())
        size += len(str(value.get("StringValue") or "").encode(errors="replace"))
        size += len(base64.b64decode(value.get("BinaryValue") or b""))
    return size


def install() -> None:
    """Put the rules in front of moto's queues; call once, before the server starts."""
    send, send_batch, receive = (
        SQSBackend.send_message,
        SQSBackend.send_message_batch,
        SQSBackend.receive_message,
    )

    def judged_send(self: SQSBackend, queue_name: str, message_body: str, **fields: Any) -> Message:
        if refused := refusal(
            {
                "MessageBody": message_body,
                "MessageAttributes": fields.get("message_attributes"),
                "MessageGroupId": fields.get("group_id"),
                "DelaySeconds": fields.get("delay_seconds"),
            }
        ):
            raise refused
        return send(self, queue_name, message_body, **fields)

    def judged_batch(
        self: SQSBackend, queue_name: str, entries: dict[str, dict[str, Any]]
    ) -> tuple[list[Message], list[dict[str, Any]]]:
        total = sum(map(message_bytes, entries.values()))
        if total > MAX_MESSAGE_BYTES:
            raise BatchRequestTooLong(total)
        refused = {number: refusal(entry) for number, entry in entries.items()}
        good = {number: entry for number, entry in entries.items() if refused[number] is None}
        sent, failed = send_batch(self, queue_name, good)
        return sent, [
            *failed,
            *(
                {"Id": entries[number]["Id"], "SenderFault": True, "Code": why.code, "Message": why.message}
                for number, why in refused.items()
                if why is not None
            ),
        ]

    def judged_receive(
        self: SQSBackend, queue_name: str, count: int, wait_seconds_timeout: int, *rest: Any
    ) -> list[Message]:
        queue = self.get_queue(queue_name)
        # Counting walks the queue: only where there can be that many.
        if len(queue._messages) > MAX_IN_FLIGHT and (  # noqa: SLF001
            queue.approximate_number_of_messages_not_visible >= MAX_IN_FLIGHT
        ):
            if not wait_seconds_timeout:
                raise OverLimit
            return []
        return receive(self, queue_name, count, wait_seconds_timeout, *rest)

    SQSBackend.send_message = judged_send  # type: ignore[method-assign, assignment]
    SQSBackend.send_message_batch = judged_batch  # type: ignore[method-assign]
    SQSBackend.receive_message = judged_receive  # type: ignore[method-assign, assignment]
