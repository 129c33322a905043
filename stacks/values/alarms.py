"""Who is told of what, as values."""

from typing import Annotated

from pydantic import Field

from stacks.values.base import EmailAddress, Values

# Messages expire after 14 days: later than this, there would be no time left to do anything.
_HoursInQueue = Annotated[float, Field(gt=0, le=240)]


class Alarms(Values):
    """Who is told, and what is worth telling."""

    email: EmailAddress | None = None
    oldest_message_hours: _HoursInQueue
    queue_wait_hours: _HoursInQueue
