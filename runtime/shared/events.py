"""The events other teams subscribe to; their JSON Schemas are in docs/events/.

An event's id is a function of what it says, so a subscriber can drop the rare repeat after a crash.
"""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE = "export-processing"
DetailType = Literal[
    "Export Job Completed",
    "Export Job Incomplete",
    "Export Job Failed",
    "Export Task Parked",
    "Export Circuit Changed",
]

_NAMESPACE = uuid.UUID("5c0c2c9e-6d0f-5f5e-9a53-0d1c3a5f6b7e")


class EventNotSent(Exception):
    """EventBridge did not take the event."""


class EventBus:
    """Puts events on one bus."""

    def __init__(self, client: "EventBridgeClient", bus: str) -> None:
        self._client = client
        self._bus = bus

    def put(self, detail_type: DetailType, identity: str, detail: Mapping[str, Any]) -> None:
        """Send one event; the same type and `identity` always give the same `event_id`.

        Raises EventNotSent.
        """
        document = {"event_id": event_id(detail_type, identity), **detail}
        answer = self._client.put_events(
            Entries=[
                {
                    "Source": SOURCE,
                    "DetailType": detail_type,
                    "Detail": json.dumps(
                        {name: value for name, value in document.items() if value is not None}
                    ),
                    "EventBusName": self._bus,
                }
            ]
        )
        if answer.get("FailedEntryCount"):
            entry = answer["Entries"][0]
            raise EventNotSent(f"{detail_type}: {entry.get('ErrorCode')}: {entry.get('ErrorMessage')}")


def event_id(detail_type: DetailType, identity: str) -> str:
    """A UUID that depends on nothing but its arguments."""
    return str(uuid.uuid5(_NAMESPACE, f"{detail_type}:{identity}"))


def iso(epoch_s: float | None) -> str | None:
    """A moment as the events write it."""
    return (
        None if epoch_s is None else datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="milliseconds")
    )
