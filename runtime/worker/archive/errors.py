"""The two ways in which an archive is refused: as a whole, or one entry of it.

Nothing else escapes the reader for any input. Errors of the byte source (a lost connection, a full disk)
pass through untouched: they say nothing about the archive.
"""

from runtime.shared.contracts import EntryOutcome, ParkReason


class ArchiveRejected(Exception):
    """The archive can never be read; `reason` is for machines, `text` tells a person what and where."""

    def __init__(self, reason: ParkReason, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


class EntryRejected(Exception):
    """One entry must not be published; the others are unaffected."""

    def __init__(self, outcome: EntryOutcome, text: str) -> None:
        super().__init__(text)
        self.outcome = outcome
        self.text = text


class BadExtraField(Exception):
    """An extra field of one entry that cannot be relied on. Never leaves the reader: the entry is refused."""


def invalid(text: str) -> ArchiveRejected:
    """The commonest refusal: the archive contradicts itself or the specification."""
    return ArchiveRejected(ParkReason.INVALID_ARCHIVE, text)
