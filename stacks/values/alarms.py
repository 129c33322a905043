"""Who is told of what, as values."""

from stacks.values.base import Hours, Values


class Alarms(Values):
    """Who is told, and what is worth telling."""

    email: str | None = None
    oldest_message_hours: Hours
    queue_wait_hours: Hours
