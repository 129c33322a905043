"""The checker's judgement."""

from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(kw_only=True)
class Judgement:
    """The counts of what was found; `findings` has a sentence for every bad one."""

    messages_sent: int = 0
    expected: int = 0
    present: int = 0
    objects: int = 0
    """Files that were looked at; what else is present are manifests."""
    bytes_compared: int = 0
    wrong: int = 0
    missing: int = 0
    extra: int = 0
    tasks_completed_twice: int = 0
    jobs_completed_twice: int = 0
    silently_incomplete: int = 0
    """Jobs said to be complete of which a file is not there."""
    unaccounted: int = 0
    events_repeated: int = 0
    objects_written_again: int = 0
    jobs: dict[str, int] = field(default_factory=dict)
    """How many ended as they must, by their end."""
    rejected: dict[str, int] = field(default_factory=dict)
    """Entries by their outcome."""
    parked: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    BAD: ClassVar = (
        "wrong",
        "missing",
        "extra",
        "tasks_completed_twice",
        "jobs_completed_twice",
        "silently_incomplete",
        "unaccounted",
    )

    @property
    def ok(self) -> bool:
        return not any(getattr(self, name) for name in self.BAD)

    def add(self, count: str, finding: str) -> None:
        setattr(self, count, getattr(self, count) + 1)
        self.findings.append(f"{count}: {finding}")
