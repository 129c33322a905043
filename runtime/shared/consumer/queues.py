"""A queue to consume from, and its messages as deliveries."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .failures import FailureRun
from .lineage import Lineage

_log = logging.getLogger(__name__)

# What a hand-over writes and the next receiver reads.
FIRST_SEEN, HANDOVERS, PROGRESS = "first_seen", "handovers", "progress"
FAILING, CRASHES, LINEAGE = "failing", "crashes", "lineage"
# W3C trace context, https://www.w3.org/TR/trace-context/: carried on, never read here.
TRACE_CONTEXT = ("traceparent", "tracestate")
# What parking writes.
REASON = "reason"


@dataclass(frozen=True, slots=True)
class SourceQueue:
    """A queue and its dead-letter queue.

    `weight` is its share of the slots while several queues have work.
    """

    url: str
    dlq_url: str
    weight: int = 1

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A message's attributes beside its body, as SQS and the sender gave them.

    They are read leniently: foreign attributes must not block a queue.
    """

    receive_count: int
    group_id: str | None
    sent_at: datetime
    first_seen: datetime
    handovers: int
    lineage: Lineage
    progress: Mapping[str, Any]
    failures: FailureRun | None
    trace: Mapping[str, str]
    """The W3C trace context that it brings, unread."""


def read_envelope(message: Mapping[str, Any], now: datetime) -> Envelope:
    """Read system attributes and those of an earlier hand-over; what is unreadable counts as absent."""
    system: Mapping[str, str] = message.get("Attributes", {})
    custom = {
        name: str(value.get("StringValue", ""))
        for name, value in message.get("MessageAttributes", {}).items()
        if isinstance(value, Mapping)
    }
    sent_at = _moment_ms(system.get("SentTimestamp")) or now
    # A message with a reason was parked and has been redriven: whoever did that wants it tried anew, so
    # everything that is measured from the first sight or the first failure starts again.
    if REASON in custom:
        for name in (FIRST_SEEN, FAILING, CRASHES, LINEAGE):
            custom.pop(name, None)
    first_seen = _moment_iso(custom.get(FIRST_SEEN))
    return Envelope(
        receive_count=_whole(system.get("ApproximateReceiveCount"), 1) + _whole(custom.get(CRASHES), 0),
        group_id=system.get("MessageGroupId"),
        sent_at=sent_at,
        first_seen=first_seen or sent_at,
        handovers=_whole(custom.get(HANDOVERS), 0),
        lineage=Lineage.of(custom.get(LINEAGE), str(message.get("MessageId", ""))),
        progress=_mapping(custom.get(PROGRESS)),
        failures=FailureRun.of(custom.get(FAILING)),
        trace={name: custom[name] for name in TRACE_CONTEXT if name in custom},
    )


def _whole(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 12 else default


def _moment_ms(text: str | None) -> datetime | None:
    # Split, because thirteen digits are more than any other number here may have.
    seconds, milliseconds = (_whole(text[:-3], 0), _whole(text[-3:], 0)) if text else (0, 0)
    return datetime.fromtimestamp(seconds + milliseconds / 1000, UTC) if seconds else None


def _moment_iso(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _mapping(text: str | None) -> Mapping[str, Any]:
    if not text:
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        _log.warning("A message carries progress that is not JSON; the work starts from the beginning")
        return {}
    return value if isinstance(value, dict) else {}
