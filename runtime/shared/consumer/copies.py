"""Copies of a message: to its dead-letter queue when parked, back to its own queue when handed over.

SQS limits a message with its attributes to 1 MiB, ten attributes, and XML's characters; what is ours to write
gives way, the original body and foreign attributes stay.
"""

import json
import logging
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .failures import FailureRun
from .held import Held
from .queues import CRASHES, FAILING, FIRST_SEEN, HANDOVERS, LINEAGE, PROGRESS, REASON, TRACE_CONTEXT
from .sqs_limits import MAX_ATTRIBUTES, MAX_DELAY_S, MAX_MESSAGE_BYTES

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

ERROR_CHARACTERS = 2_000

_OURS = frozenset(
    (
        REASON,
        "error",
        "service",
        "correlation_id",
        FIRST_SEEN,
        HANDOVERS,
        FAILING,
        CRASHES,
        LINEAGE,
        PROGRESS,
    )
)
_WHOLE = (PROGRESS, LINEAGE, *TRACE_CONTEXT)
_NOT_ALLOWED = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_log = logging.getLogger(__name__)


def send_to_dlq(sqs: "SQSClient", held: Held, *, reason: str, error: str, service: str) -> None:
    """Write the original body and why it is parked to the dead-letter queue. Raises the client's errors."""
    delivery = held.delivery
    _send(
        sqs,
        held.queue.dlq_url,
        held,
        {
            REASON: reason,
            FIRST_SEEN: delivery.first_seen.isoformat(),
            "service": service,
            "correlation_id": delivery.correlation_id or delivery.message_id,
            "error": error[:ERROR_CHARACTERS],
        },
    )


def send_fresh(
    sqs: "SQSClient",
    held: Held,
    *,
    progress: Mapping[str, Any],
    delay_s: float,
    failures: FailureRun | None = None,
    crashes: int = 0,
) -> None:
    """Send the same body anew with its progress.

    The 12 hours start again, and so does the receive count, but for the `crashes` that the copy carries.
    """
    delivery = held.delivery
    ours = {FIRST_SEEN: delivery.first_seen.isoformat(), HANDOVERS: str(delivery.handovers + 1)}
    if failures is not None:
        ours[FAILING] = failures.text()
    if crashes:
        ours[CRASHES] = str(crashes)
    # One that only waited for another is still the same message to whoever holds the work.
    lineage = delivery.lineage.next() if delivery.worked_on else delivery.lineage
    if text := lineage.text():
        ours[LINEAGE] = text
    if progress:
        ours[PROGRESS] = json.dumps(progress, separators=(",", ":"))
    # Limited before it is rounded: rounding refuses an infinity.
    delay = math.ceil(max(0.0, min(delay_s, MAX_DELAY_S)))
    _send(sqs, held.queue.url, held, ours, DelaySeconds=delay)


def fit(
    body: str, foreign: Mapping[str, Mapping[str, Any]], ours: Mapping[str, str]
) -> dict[str, Mapping[str, Any]]:
    """The attributes to send: foreign ones first, then ours in their order as far as there is room."""
    fitted = {name: value for name, value in foreign.items() if name not in _OURS and name not in ours}
    room = MAX_MESSAGE_BYTES - len(body.encode()) - sum(_size(name, value) for name, value in fitted.items())
    for name, text in ours.items():
        clean = _NOT_ALLOWED.sub("\ufffd", text)
        overhead = len(name) + len("String")
        if len(fitted) >= MAX_ATTRIBUTES or room <= overhead or not clean:
            continue
        if len(clean.encode()) + overhead > room:
            if name == PROGRESS:
                _log.warning(
                    "Saved progress does not fit into the message; the work starts from the beginning"
                )
            if name in _WHOLE:  # half of it would be something else
                continue
            clean = clean.encode()[: room - overhead].decode(errors="ignore")
        if clean:
            fitted[name] = {"DataType": "String", "StringValue": clean}
            room -= len(clean.encode()) + overhead
    return fitted


def _size(name: str, value: Mapping[str, Any]) -> int:
    content = value.get("BinaryValue") or str(value.get("StringValue", "")).encode()
    return len(name.encode()) + len(str(value.get("DataType", ""))) + len(content)


def _send(sqs: "SQSClient", url: str, held: Held, ours: Mapping[str, str], **options: Any) -> None:
    body = held.delivery.body
    foreign = {
        name: {part: value[part] for part in ("DataType", "StringValue", "BinaryValue") if part in value}
        for name, value in held.attributes.items()
    }
    if held.delivery.group_id is not None:
        options["MessageGroupId"] = held.delivery.group_id
    # Last, so that it gives way to all else: without it the work is whole, and only its trace in two pieces.
    ours = {**ours, **held.delivery.onward_trace}
    attributes: dict[str, Any] = dict(fit(body, foreign, ours))
    sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes, **options)
