"""What a case of the corpus is."""

from dataclasses import dataclass, field

from runtime.shared.contracts import EntryOutcome, ParkReason
from runtime.worker.archive import Limits

READ = "read"
FOLDER = "folder"
REPEATED = "repeated"
Expected = ParkReason | tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """One rule and the smallest archive that meets it.

    `expected`: why the archive is parked, or what becomes of each entry in the directory's order: "read",
    "folder" or "repeated" (passed over) or an EntryOutcome.
    """

    file: str
    section: str  # of APPNOTE 6.3.10; "-" where the rule is ours
    rule: str
    content: bytes
    expected: Expected
    names: tuple[str, ...] | None = None  # as looked up, where that is the point
    limits: Limits = field(default_factory=Limits)
    noted: str = ""  # what the manifest's notes say of it, a part of the text


def reads(count: int = 1) -> tuple[str, ...]:
    return (READ,) * count


def beside(outcome: EntryOutcome) -> tuple[str, ...]:
    """The first entry has this outcome, the second is read all the same."""
    return (outcome, READ)
