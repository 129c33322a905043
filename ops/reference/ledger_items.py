"""The items of the ledger table, attribute by attribute. Read them; only the services write them.

Keys: `export_job_id` and `item`. Moments are epoch seconds. A test leads a job through its life and holds
every item that is written against this.
"""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, WithJsonSchema

from ops.reference.documents import Count, Document
from runtime.shared.contracts import ParkReason

Moment = Annotated[float, Field(ge=0)]
PartOrNull = Annotated[int | None, WithJsonSchema({"type": ["integer", "null"], "minimum": 0})]


class Item(Document):
    export_job_id: str
    """Partition key."""
    item: str
    """Sort key."""
    updated_at: Moment
    expires_at: Annotated[int, Field(ge=0)]
    """When DynamoDB's TTL may remove it: the retention after the last write."""


class _Leased(Item):
    """An item that somebody may be working on."""

    created_at: Moment | None = None
    generation: int | None = None
    """Of the claim; every write of an older one is refused."""
    owner: str | None = None
    """The process that claimed it last."""
    token: str | None = None
    """Of the claim, by which a repeated request recognises itself."""
    lease_until: Moment | None = None
    """Until when the owner has it to itself; 0: nobody has it."""


class _Failing(_Leased):
    """An item that remembers its run of transient failures; progress removes it."""

    failing_since: Moment | None = None
    failing_reason: str | None = None
    """What it began with."""
    failing_error: str | None = None
    """What it met last."""
    failing_alike: str | None = None
    """The last failure's reason."""
    failing_alike_since: Moment | None = None
    """Since when nothing else was met."""
    failures: int | None = None
    reason: ParkReason | None = None
    """Why it was parked."""
    error: str | None = None
    """The same for people."""


class _Totals(Document):
    model_config = ConfigDict(
        json_schema_extra={"patternProperties": {"^rejected:[a-z-]+$": {"type": "integer", "minimum": 0}}}
    )

    size: Count | None = None
    """Bytes of the archives."""
    entries: Count | None = None
    in_s3: Count | None = None
    """Entries that were uploaded, or were there already."""
    rejected: Count | None = None
    """Entries that were not; `rejected:<outcome>` has them by outcome."""
    bytes_fetched: Count | None = None
    bytes_saved: Count | None = None
    bytes_uploaded: Count | None = None
    paths_digest: Count | None = None
    """Over the paths in S3; sums over archives."""


class JobItem(_Failing, _Totals):
    """A job, `item` = `JOB`. The index `jobs-by-status` has it by `job_status`, then `status_since`."""

    item: Literal["JOB"]
    status: Literal["listing", "waiting", "processing", "completed", "incomplete", "failed"] | None = None
    job_status: str | None = None
    """The same as `status`, which every item has; only jobs have this one, for the index."""
    status_since: Moment | None = None
    correlation_id: str | None = None
    run: int | None = None
    """How many times the job has been begun; sent again after its end it begins its next run."""
    run_started_at: Moment | None = None
    finished_at: Moment | None = None
    listing_complete: bool | None = None
    cursor: str | None = None
    """Where an interrupted listing goes on."""
    pages: int | None = None
    barren_pages: int | None = None
    """Pages in a row that brought no new file."""
    records_rejected: Count | None = None
    """Records of the listing that became no task."""
    rejections: list[str] | None = None
    """Why, for the first of them."""
    tasks_total: Count | None = None
    tasks_done: Count | None = None
    tasks_parked: Count | None = None
    waiting_since: Moment | None = None
    """Since when the vendor has not been ready with the export."""
    waiting_reason: str | None = None
    """What it says instead: `pending` or `running`."""
    waits: int | None = None
    expected: Count | None = None
    """Files that the metadata expects, counted at the job's end."""
    present: Count | None = None
    missing: Count | None = None
    missing_key: str | None = None
    """The object that names the missing ones."""
    announcing_until: Moment | None = None
    """Somebody is sending the event, and has until then."""
    announced: Literal["completed", "incomplete", "failed"] | None = None
    """The end whose event has been sent."""


class TaskSummary(_Totals):
    """The totals of a manifest, as far as the ledger keeps them."""

    etag: str


class _Carried(_Failing):
    """An item whose work comes by a message of its own."""

    message: str | None = None
    """Of the claim: the id of the message that it came by; a copy that meets another's lease is dropped."""


class TaskItem(_Carried):
    """An archive of a job, `item` = `TASK#{task_id}`."""

    file_id: str
    status: Literal["listed", "claimed", "waiting", "split", "done", "parked"]
    listed: bool | None = None
    """The listing has named it, so the job counts it."""
    page: int | None = None
    run: int | None = None
    counted: Literal["done", "parked"] | None = None
    """How the job counts it."""
    finished_at: Moment | None = None
    summary: TaskSummary | None = None
    parked_part: PartOrNull = None
    """The part that parked it, where one did."""
    epoch: int | None = None
    """Of the split; starting over raises it, which makes the parts of an earlier one stale."""
    split_parts: list[tuple[int, int]] | None = None
    """The parts' entry ranges [first, last)."""
    parts_sent: bool | None = None
    parts_done: Count | None = None


class PartItem(_Carried):
    """A part of a split archive, `item` = `TASK#{task_id}#PART#{index}`."""

    file_id: str
    status: Literal["claimed", "waiting", "done", "parked"]
    epoch: int
    finished_at: Moment | None = None
    summary: TaskSummary | None = None
    parked_part: PartOrNull = None


class CountItem(_Failing):
    """The count of a job's files at its end, `item` = `COUNT`."""

    item: Literal["COUNT"]
    status: Literal["claimed", "waiting", "done"]
    basis: str
    """The run and the tasks that it stands for; another basis begins it anew."""
    first_look_at: Moment
    cursor: str | None = None
    """The last path that has been counted."""
    expected: Count | None = None
    paths_digest: Count | None = None


class CheckpointItem(Item):
    """Where the work inside a large file is.

    `item` = `CHECKPOINT#{name}` in the partition of its task: `{export_job_id}#TASK#{task_id}`.
    """

    generation: int
    data: bytes | None = None
    """Only the worker reads it; absent when it is no longer needed."""


class MessageItem(_Failing):
    """A message that names no single job or task.

    Partition `#message:{SHA-256 of its body}`, `item` = `MESSAGE`.
    """

    item: Literal["MESSAGE"]
    status: Literal["parked"] | None = None


class CircuitsItem(Item):
    """The circuits that are not closed.

    Partition `#circuits`, `item` = `CIRCUITS`, one attribute `circuit_{dependency}` each, JSON text.
    """

    model_config = ConfigDict(json_schema_extra={"patternProperties": {"^circuit_": {"type": "string"}}})

    item: Literal["CIRCUITS"]


class RateItem(Item):
    """When the next call to a vendor may be made: partition `#rate`."""

    next_slot_at: Moment | None = None
    paused_until: Moment | None = None
    """The vendor has asked for a pause."""


class PermitsItem(Item):
    """The permits in use, of those that a vendor or a host allows the fleet at once: partition `#permits`."""

    holders: dict[str, tuple[int, float]]
    """By process: how many, and until when."""
    version: int
