"""A run of transient failures of one piece of work: since when, how many, and how it began.

It travels with the message, so that a run is known wherever the work goes on. A service that keeps it in a
store of its own (a message has room for few attributes) has the last word, see `RetryHook`.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

_TEXT = re.compile(r"(?P<since>[0-9T:.+-]{19,40}) (?P<count>[0-9]{1,9}) (?P<reason>[!-~]{1,200})")


@dataclass(frozen=True, slots=True)
class FailureRun:
    """`since` is the first failure without progress after it, `reason` that failure's.

    Since `alike_since` every failure has had the last one's reason (None: a message does not tell it, and the
    whole run counts).
    """

    since: datetime
    count: int
    reason: str
    alike_since: datetime | None = None

    def age_s(self, now: datetime) -> float:
        return max(0.0, (now - self.since).total_seconds())

    def alike_s(self, now: datetime) -> float:
        """How long nothing but the last failure's reason has been met."""
        return max(0.0, (now - (self.alike_since or self.since)).total_seconds())

    def text(self) -> str:
        """As an attribute of a message."""
        return f"{self.since.isoformat()} {self.count} {self.reason}"

    @classmethod
    def of(cls, text: str | None) -> "FailureRun | None":
        """Read leniently: what is not a run counts as none."""
        found = _TEXT.fullmatch(text or "")
        if found is None:
            return None
        try:
            since = datetime.fromisoformat(found["since"])
        except ValueError:
            return None
        since = since if since.tzinfo else since.replace(tzinfo=UTC)
        return cls(since, int(found["count"]), found["reason"])
