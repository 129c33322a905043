"""A message in hand for tests of what is done with one: fresh, received once, nothing carried along."""

from datetime import datetime
from typing import Any

from runtime.shared.consumer import Cancellation, Delivery
from runtime.shared.consumer.lineage import Lineage
from tests.unit.conftest import Clock


def delivery(body: str, *, sent_at: datetime, **otherwise: Any) -> Delivery:
    """`otherwise`: fields of the delivery that are not as said above."""
    fresh: dict[str, Any] = {
        "message_id": "m",
        "receive_count": 1,
        "group_id": None,
        "first_seen": sent_at,
        "handovers": 0,
        "lineage": Lineage("m"),
        "progress": {},
        "cancellation": Cancellation(),
        "clock": Clock(),
    }
    return Delivery(body=body, sent_at=sent_at, **{**fresh, **otherwise})
