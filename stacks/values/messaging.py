"""How messages are held and tried, as values."""

from typing import Annotated

from pydantic import Field

from stacks.values.base import Seconds, Values

# Receives that SQS still allows when the runtime has seen enough: it parks the message with its reason then,
# and may need a second try at that.
_RECEIVES_TO_PARK = 3


class Priorities(Values):
    """Shares of the slots while all priorities have work: what is low goes slowly, and never stands still."""

    high: Annotated[int, Field(ge=1, le=100)] = 8
    normal: Annotated[int, Field(ge=1, le=100)] = 4
    low: Annotated[int, Field(ge=1, le=100)] = 1


class Messaging(Values):
    """How long a message is somebody's, and how often it may end with a crash.

    max_receive_count: after so many receives that ended with a crash the runtime parks the message; failures
        of others cost time instead (`Load.longest_outage_hours`).
    priorities: a queue pair more for `high` and one for `low`, of both kinds; None sends all by one pair.
    """

    visibility_timeout_s: Annotated[int, Field(ge=30, le=43_200)] = 300
    heartbeat_interval_s: Seconds = 60
    handover_after_s: Annotated[int, Field(ge=60)] = 39_600
    # A receive count counts crashes: two lost hosts say nothing of a message, twenty do.
    max_receive_count: Annotated[int, Field(ge=3, le=20)] = 5
    priorities: Priorities | None = None

    @property
    def redrive_after(self) -> int:
        """The queue's own limit, which is only met when the runtime cannot even park."""
        return self.max_receive_count + _RECEIVES_TO_PARK
