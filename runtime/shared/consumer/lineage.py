"""Which message a copy was made in place of, so that copies of one piece of work can be told apart.

A copy and its original may both live on: the send or the delete between them can fail either way. Whoever
holds the work compares what it holds it by with the lineage of a message that comes for the same work; of two
lines one may be dropped while the other is at work, or every failed delete would add one for good.
"""

import re
import uuid
from dataclasses import dataclass

_TEXT = re.compile(r"(?P<id>[!-.0-~]{1,100})/(?P<replaces>[!-.0-~]{1,100})")


@dataclass(frozen=True, slots=True)
class Lineage:
    """A message's own id, and that of the message in whose place it was sent; an original replaces none."""

    id: str
    replaces: str | None = None

    def next(self) -> "Lineage":
        """For the copy that takes this message's place after work on it."""
        return Lineage(uuid.uuid4().hex, self.id)

    def text(self) -> str | None:
        """As an attribute of a message; None: it needs none."""
        return f"{self.id}/{self.replaces}" if self.replaces is not None else None

    @classmethod
    def of(cls, text: str | None, message_id: str) -> "Lineage":
        """Read leniently: what is no lineage counts as none."""
        found = _TEXT.fullmatch(text or "")
        return cls(found["id"], found["replaces"]) if found else cls(message_id)
