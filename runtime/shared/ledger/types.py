"""The ledger's words: what is claimed, what a claim allows, and why one is refused."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..consumer.cancellation import LeaseLost

__all__ = [
    "FAILING",
    "REJECTED",
    "TOTALS",
    "WAITING",
    "AlreadyFinished",
    "Busy",
    "Claim",
    "CountClaim",
    "Duplicate",
    "JobClaim",
    "JobCount",
    "JobOutcome",
    "JobState",
    "LeaseLost",
    "ListingState",
    "PartsState",
    "Recorded",
    "Split",
    "Summary",
    "Superseded",
    "WorkUnit",
    "totals_of",
]

FAILING = (
    "failing_since", "failing_reason", "failing_error", "failures", "failing_alike", "failing_alike_since",
)  # fmt: skip
"""A run of transient failures on an item; whatever moves the work on removes it."""
WAITING = ("waiting_since", "waiting_reason", "waits")
"""How long the job has been waited for."""

Summary = Mapping[str, int | str]
JobOutcome = Literal["completed", "incomplete", "failed"]
REJECTED = "rejected:"
"""What begins the name of a total of one reason: `rejected:no-metadata`."""
TOTALS = frozenset(
    {"size", "entries", "in_s3", "rejected", "bytes_fetched", "bytes_saved", "bytes_uploaded", "paths_digest"}
)
"""The numbers of a task's summary that its job adds up, beside one for each reason of a rejection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkUnit:
    """One archive of a job, or one part of a split archive.

    `part` is its index, `epoch` the split it belongs to.
    """

    export_job_id: str
    task_id: str
    file_id: str
    part: int | None = None
    epoch: int = 0

    def whole(self) -> "WorkUnit":
        """The task this part belongs to."""
        return WorkUnit(export_job_id=self.export_job_id, task_id=self.task_id, file_id=self.file_id)

    @property
    def task_key(self) -> str:
        return f"TASK#{self.task_id}"

    @property
    def key(self) -> str:
        return self.task_key if self.part is None else f"{self.task_key}#PART#{self.part}"


@dataclass(frozen=True, slots=True)
class Split:
    """A task's parts: entry ranges [first, last) by index.

    The epoch tells them from an earlier split.
    """

    parts: tuple[tuple[int, int], ...]
    epoch: int


@dataclass(frozen=True, slots=True)
class PartsState:
    """How far a split task is.

    When done == count the caller joins the manifest and completes the task itself.
    """

    done: int
    count: int
    summaries: tuple[Summary, ...] = ()
    """What each finished part reported, by index; filled when all are done."""

    @property
    def finished(self) -> bool:
        return self.done >= self.count


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to write about one unit.

    Every later write carries `generation` and fails when it is stale.
    """

    unit: WorkUnit
    generation: int
    owner: str
    split: Split | None = None
    """The recorded split when the task has been split before; nothing is to be planned again."""
    parts_sent: bool = False
    """False with a split: an earlier attempt may have died before sending every part, so send them
    (again).
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingState:
    """How far a listing is: everything before `cursor` has been sent and counted."""

    cursor: str | None = None
    pages: int = 0
    barren: int = 0
    """Pages in a row that brought no new file."""
    rejected: int = 0
    """Records that are not files of the contract."""
    rejections: tuple[str, ...] = ()
    """Why, for the first of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobClaim:
    """The right to list one job; `listing` says where an interrupted one goes on."""

    export_job_id: str
    generation: int
    owner: str
    correlation_id: str
    listing: ListingState = ListingState()
    run: int = 1
    """How many times the job has been begun; one that is sent again after its end is listed afresh."""

    @property
    def pages(self) -> int:
        """Pages whose tasks have been sent before this claim."""
        return self.listing.pages


@dataclass(frozen=True, slots=True)
class Recorded:
    """Task ids of one page whose messages are to be sent.

    They are counted now, or perhaps were not sent by an earlier attempt.
    """

    new: tuple[str, ...]
    again: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """Where a job is, read consistently.

    Counts are exact: each task is counted once whatever is redelivered, and all of them are of the job's
    present run.
    """

    export_job_id: str
    status: str
    listing_complete: bool
    tasks_total: int
    tasks_done: int
    tasks_parked: int
    run: int = 1
    correlation_id: str = ""
    reason: str = ""
    """Why the job as a whole was parked, when it was."""
    error: str = ""
    announced: str = ""
    """The outcome whose event has been sent."""
    totals: Mapping[str, int] = field(default_factory=dict)
    """The sums over the done tasks' summaries."""
    times: Mapping[str, float] = field(default_factory=dict)
    """Epoch seconds: created_at, run_started_at, finished_at where known."""
    records_rejected: int = 0
    """Records of the listing that became no task."""
    rejections: tuple[str, ...] = ()
    """Why, for the first of them."""

    @property
    def ended(self) -> bool:
        """Nothing is open: what has arrived can be counted."""
        if self.reason:
            return True
        return self.listing_complete and self.tasks_done + self.tasks_parked >= self.tasks_total

    @property
    def failed(self) -> bool:
        """The job could not be listed, records of its listing are none, or archives of it are parked."""
        return bool(self.reason) or self.tasks_parked > 0 or self.records_rejected > 0

    @property
    def end_announced(self) -> bool:
        """The event for this end is out. A failed job that has recovered since is to be spoken of again."""
        return self.ended and bool(self.announced) and (self.announced == "failed") == self.failed

    @property
    def rejected(self) -> dict[str, int]:
        """Rejected entries by reason."""
        return {
            name.removeprefix(REJECTED): count
            for name, count in sorted(self.totals.items())
            if name.startswith(REJECTED) and count
        }


@dataclass(frozen=True, slots=True)
class JobCount:
    """The count at a job's end: files that the metadata expects, and those of them not in S3."""

    expected: int
    missing: int
    missing_key: str = ""
    """Where in the bucket the missing ones are named."""

    @property
    def present(self) -> int:
        return self.expected - self.missing


@dataclass(frozen=True, slots=True, kw_only=True)
class CountClaim:
    """The right to count one job's files, and how far an earlier holder had got."""

    export_job_id: str
    generation: int
    cursor: str = ""
    """The last path that has been counted; empty at the beginning."""
    expected: int = 0
    paths_digest: int = 0
    first_look_at: float = 0.0
    """Epoch seconds: when somebody first found the job ended as it is now."""


def totals_of(attributes: Mapping[str, object]) -> dict[str, int]:
    """The numbers of a summary, or of a job's item, that are added up."""
    return {
        name: value
        for name, value in attributes.items()
        if isinstance(value, int) and (name in TOTALS or name.startswith(REJECTED))
    }


class AlreadyFinished(Exception):
    """The unit is done; a redelivery has nothing left to do but to see that the completion was said."""

    def __init__(self, status: str) -> None:
        super().__init__(f"already {status}")
        self.status = status


class Busy(Exception):
    """Another live claim holds the unit.

    Answer with Yield(delay_s=retry_after_s), not Retry: a duplicate of a task that runs for hours must not
    run out of receives while it waits.
    """

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"claimed by another owner for {retry_after_s:.1f} s more")
        self.retry_after_s = retry_after_s


class Duplicate(Exception):
    """Another message's work holds the unit, and does without this copy: drop it (Done).

    The other is on its queue, or what goes on in its place is, until the work has ended for good.
    """


class Superseded(Exception):
    """The part belongs to a split that has been restarted.

    With `task_open` the new split's parts are not on the queue yet and this message may be the only one that
    still leads there: claim the whole task (`unit.whole()`) and go on with that. Otherwise drop the message
    (Done).
    """

    def __init__(self, *, task_open: bool) -> None:
        super().__init__("the split this part belongs to has been restarted")
        self.task_open = task_open
