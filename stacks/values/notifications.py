"""Who hears what became of exports, as values."""

from typing import Annotated, Literal

from pydantic import Field

from stacks.values.base import EmailAddress, Values

Event = Literal[
    "Export Job Completed",
    "Export Job Incomplete",
    "Export Job Failed",
    "Export Task Parked",
    "Export Circuit Changed",
]


class Notifications(Values):
    """The optional third service: a summary of each of these events to a topic, and to an address."""

    events: Annotated[tuple[Event, ...], Field(min_length=1)] = (
        "Export Job Completed",
        "Export Job Incomplete",
    )
    email: EmailAddress | None = None
