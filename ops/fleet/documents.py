"""The answers, as documents: what `--json` prints and the page shows. Fields are only ever added.

Times are ISO 8601 in UTC; sizes are bytes; ages and leases are seconds. Their JSON Schemas are in docs/ops/.
"""

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, computed_field

STATES = ("listing", "waiting", "processing", "completed", "incomplete", "failed")
"""A job's states; the last three are ends."""
ENDED = frozenset(("completed", "incomplete", "failed"))


class Document(BaseModel):
    """Serialised with every field, so that a script finds the same names each time."""

    model_config = ConfigDict(frozen=True)


def moment(epoch_s: Any) -> datetime | None:
    """A time of the ledger's, which keeps epoch seconds."""
    return None if epoch_s is None else datetime.fromtimestamp(float(epoch_s), UTC)


class Finding(Document):
    """Something that stands in the way, or went wrong, and the command that acts on it."""

    what: str
    do: str = ""


class Trouble(Document):
    """A run of transient failures, or of waiting, that has not ended."""

    since: datetime
    times: int
    reason: str
    error: str = ""


class Failing(Document):
    """A piece of work that fails and is tried again: an archive, or (without `file_id`) a job's listing."""

    export_job_id: str
    file_id: str
    trouble: Trouble


class Archives(Document):
    """A job's archives (tasks) by what became of them."""

    total: int
    done: int
    parked: int

    @computed_field  # type: ignore[prop-decorator]  # pydantic's own way to serialise a property
    @property
    def open(self) -> int:
        return max(0, self.total - self.done - self.parked)


class Bytes(Document):
    """`size` of the archives; `fetched` over the network; `saved` had been brought by an earlier try."""

    size: int = 0
    fetched: int = 0
    saved: int = 0
    uploaded: int = 0


class Job(Document):
    """A job as its own item in the ledger has it."""

    export_job_id: str
    state: str
    run: int
    correlation_id: str
    listed: bool
    announced: str
    """The outcome whose event has been sent."""
    archives: Archives
    entries: int
    in_s3: int
    rejected: dict[str, int]
    bytes: Bytes
    expected: int | None
    present: int | None
    missing: int | None
    missing_key: str
    reason: str
    error: str
    failing: Trouble | None
    waiting: Trouble | None
    records_rejected: int
    rejections: list[str]
    holder: str
    lease_until: datetime | None
    created_at: datetime | None
    run_started_at: datetime | None
    state_since: datetime | None
    updated_at: datetime | None
    finished_at: datetime | None

    @property
    def ended(self) -> bool:
        return self.state in ENDED


class Archive(Document):
    """A task of a job: one archive."""

    task_id: str
    file_id: str
    state: str
    tries: int
    """Claims so far: the first, and one more after each retry, hand-over and crash."""
    holder: str
    lease_until: datetime | None
    entries: int
    in_s3: int
    rejected: dict[str, int]
    bytes: Bytes
    parts_done: int | None
    parts: int | None
    reason: str
    error: str
    failing: Trouble | None
    created_at: datetime | None
    updated_at: datetime | None
    finished_at: datetime | None


class JobStatus(Document):
    """`ops status`: a job, its archives, and what stands in its way."""

    job: Job
    archives: list[Archive]
    findings: list[Finding]


class JobList(Document):
    """`ops jobs`: latest first; `complete` is false where more matched, or were not looked at."""

    jobs: list[Job]
    complete: bool
    note: str = ""


class StateCount(Document):
    """`exact` is false where there are at least so many."""

    state: str
    jobs: int
    exact: bool = True


class Queue(Document):
    """The number of messages that a queue holds, as SQS tells it: approximately."""

    name: str
    waiting: int
    in_flight: int
    delayed: int
    oldest_s: float | None = None
    """Age of the oldest waiting message, where CloudWatch knows it."""


class Circuit(Document):
    """A dependency that is not being called: its circuit is not closed, or an operator has paused it."""

    dependency: str
    state: str
    since: datetime | None
    reason: str
    by_operator: bool
    failed_probes: int = 0
    next_probe_at: datetime | None = None


class CircuitList(Document):
    """`ops circuits`."""

    circuits: list[Circuit]


class ParkedMessage(Document):
    """A message on a DLQ. `reason` is empty where SQS moved it after its last receive: a crash each time."""

    queue: str
    message_id: str
    reason: str
    error: str
    service: str
    export_job_id: str
    task_id: str
    file_id: str
    correlation_id: str
    first_seen: datetime | None
    parked_at: datetime | None
    body: str


class ParkedGroup(Document):
    """The parked messages of one queue and reason."""

    queue: str
    reason: str
    messages: int
    jobs: int
    oldest: datetime | None
    newest: datetime | None
    error: str
    """The first line of the newest one's."""
    advice: str
    deleted_from: datetime | None = None
    """When SQS deletes the oldest of them, its retention being over."""


class ParkedList(Document):
    """`ops dlq list`; `looked_at` of about `waiting` messages were read."""

    groups: list[ParkedGroup]
    looked_at: int
    waiting: int


class ParkedMessages(Document):
    """`ops dlq show`."""

    messages: list[ParkedMessage]
    looked_at: int
    waiting: int


class Moved(Document):
    """`ops dlq redrive` and `ops dlq drop`: what was, or on a dry run would be, done."""

    action: str
    dry_run: bool
    messages: int
    failed: int = 0
    by_reason: dict[str, int] = {}
    file: str = ""
    """Where dropped messages have been written."""
    task_handle: str = ""
    """SQS's name for a move of a whole queue."""


class Sent(Document):
    """`ops submit` and `ops retry`: the messages put on `export-jobs`."""

    export_job_ids: list[str]
    correlation_id: str
    messages: int
    dry_run: bool
    note: str = ""


class Lack(Document):
    """A file that is not in S3 as the metadata says.

    `reason` is absent, size-differs, checksum-differs, checksum-unknown or invalid-metadata.
    """

    path: str
    key: str
    reason: str
    detail: str = ""


class Verification(Document):
    """`ops verify`: S3 against the metadata, nothing downloaded."""

    export_job_id: str
    expected: int
    present: int
    lacking: int
    by_reason: dict[str, int]
    lacks: list[Lack]
    """The first of them."""
    seconds: float
    objects_per_s: float

    @property
    def whole(self) -> bool:
        return self.lacking == 0


class MissingFile(Document):
    """A line of the list that a job's last count wrote."""

    path: str
    reason: str
    file_id: str | None = None


class MissingFiles(Document):
    """`ops missing`."""

    export_job_id: str
    missing: int | None
    by_reason: dict[str, int]
    files: list[MissingFile]
    complete: bool


class ManifestDocument(Document):
    """`ops manifest`: an archive's manifest as it lies in the bucket, and its entries where asked for."""

    key: str
    manifest: dict[str, Any]
    entries: list[dict[str, Any]] | None = None
    complete: bool = True


class Manifests(Document):
    """`ops manifest JOB`."""

    export_job_id: str
    manifests: list[ManifestDocument]


class Step(Document):
    """One line of a history; `source` is ledger or log."""

    at: datetime
    source: str
    who: str
    what: str


class History(Document):
    """`ops why`."""

    export_job_id: str
    task_id: str
    correlation_id: str
    findings: list[Finding]
    steps: list[Step]
    log: str
    """Where the log lines are from."""


class Point(Document):
    """One sum over the `period_s` that begin at `at`."""

    at: datetime
    value: float


class Series(Document):
    """A metric over time, summed over the tasks; of one download host where `host` is named."""

    name: str
    host: str = ""
    unit: str
    period_s: float
    points: list[Point]


class HostRate(Document):
    """A download host over the last minutes; `state` is its circuit's, or `paused`."""

    host: str
    bytes_per_s: float
    failures_per_min: float
    state: str = "closed"


class Overview(Document):
    """`ops watch --json`, and the page's first view."""

    environment: str
    at: datetime
    states: list[StateCount]
    queues: list[Queue]
    circuits: list[Circuit]
    rates: dict[str, float]
    """By metric: per second, over the last minutes."""
    hosts: list[HostRate] = []
    failing: list[Failing] = []
    """Of the jobs that have been open for the longest."""
    findings: list[Finding]


class Switched(Document):
    """`ops pause` and `ops resume`."""

    paused: bool
    scopes: list[str]
    changed: list[str]
