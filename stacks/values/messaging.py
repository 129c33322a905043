"""How messages are held and tried, as values."""

from typing import Annotated

from pydantic import Field

from stacks.values.base import Seconds, Values


class Messaging(Values):
    """How long a message is somebody's, and how often it is tried."""

    visibility_timeout_s: Annotated[int, Field(ge=30, le=43_200)] = 300
    heartbeat_interval_s: Seconds = 60
    handover_after_s: Annotated[int, Field(ge=60)] = 39_600
    max_receive_count: Annotated[int, Field(ge=1, le=1_000)] = 5
