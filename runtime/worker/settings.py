"""The worker's settings beyond those that both services share, read from its environment."""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from runtime.shared.consumer import SourceQueue
from runtime.shared.priorities import PriorityQueues
from runtime.shared.setting_types import HttpUrl, HttpUrlOrNone, NonEmpty, Seconds
from runtime.shared.settings import CommonSettings
from runtime.shared.sizes import GIB, MIB
from runtime.worker.archive import Limits
from runtime.worker.fetch.transport import DEFAULT_MAX_REDIRECTS

_MEMORY_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))

Bytes = Annotated[int, Field(ge=0)]
PositiveBytes = Annotated[int, Field(gt=0)]


class WorkerSettings(CommonSettings):
    """The field name in upper case is the variable."""

    service_mode: Literal["worker"] = "worker"
    """Which service this process is; another value does not start."""
    slots: Annotated[int, Field(ge=1, le=1_000)] = 32
    """Archives in hand at once, at most; a worker takes fewer while its CPU, memory or scratch is short.
    Raise it for slow vendors, lower it for heavy archives.
    """

    download_tasks_dlq_url: HttpUrl
    """Where tasks that can never succeed are parked."""
    download_tasks_high_dlq_url: HttpUrlOrNone = ""
    """The DLQ of the queue of high priority; set together with it."""
    download_tasks_low_dlq_url: HttpUrlOrNone = ""
    """The DLQ of the queue of low priority; set together with it."""
    bucket_name: NonEmpty
    """The bucket that objects and manifests go to."""
    object_prefix: Annotated[str, Field(pattern=r"^[^/].*/$")] = "exports/"
    """What the key of every object begins with. The worker's rights and the bucket's rules follow it."""
    manifest_prefix: Annotated[str, Field(pattern=r"^[^/].*/$")] = "manifests/"
    """What the key of every manifest begins with. The worker's rights and the bucket's rules follow it."""
    destination_prefixes: str = ""
    """Comma-separated key prefixes a metadata item's destination_key may lie under; empty: the object prefix.
    """

    metadata_table_name: NonEmpty
    """The table that says which files are expected."""
    metadata_job_attribute: NonEmpty = "export_job_id"
    """The partition key of that table: the job's id."""
    metadata_path_attribute: NonEmpty = "file_path"
    """The sort key of that table: a file's path inside the archive."""
    metadata_size_attribute: NonEmpty = "size"
    """The attribute with a file's expected size in bytes."""
    metadata_sha256_attribute: NonEmpty = "sha256"
    """The attribute with a file's expected SHA-256 in hex."""
    metadata_content_type_attribute: NonEmpty = "content_type"
    """The attribute with the Content-Type of the object."""
    metadata_destination_attribute: NonEmpty = "destination_key"
    """The attribute with the key of the object, where it is not prefix, job and path."""
    metadata_wait_s: Annotated[float, Field(ge=0)] = 0
    """Seconds after the files that their metadata may be written: entries that nobody expects yet are looked
    at again after it, and a job is counted no sooner. Raise it where the table's writers lag.
    """

    memory_budget_bytes: Bytes = 0
    """Bytes that all buffers of the process may hold together; 0: a fifth of the container's memory limit, at
    least 64 and at most 768 MiB.
    """
    scratch_dir: Path = Path("/scratch")
    """The folder on disk for archives of servers without ranges, and for planning."""
    scratch_budget_bytes: PositiveBytes = 100 * GIB
    """Bytes that spooled archives may take on that disk together. Raise it with the task's disk, if archives
    wait for room.
    """

    connections_per_archive: Annotated[int, Field(ge=1, le=64)] = 4
    """Ranged requests at once for one archive. Raise it where a vendor limits each connection's speed, lower
    it where he limits their number.
    """
    helper_threads: Annotated[int, Field(ge=1, le=256)] = 32
    """Threads shared by all archives that fetch beside a slot's own thread. Raise it with the slots and
    CONNECTIONS_PER_ARCHIVE.
    """
    upload_threads: Annotated[int, Field(ge=1, le=256)] = 16
    """Threads shared by all archives that extract small entries and send objects. Raise it where CPU is idle
    and small files wait.
    """
    merge_gap_bytes: Bytes = 64 * 1024
    """Wanted entries with at most this many unwanted bytes between them are fetched by one request. Raise it
    for vendors that take long to answer each.
    """
    split_bytes: PositiveBytes = 8 * GIB
    """Compressed bytes to fetch above which an archive is split into tasks of about that size. Lower it to
    finish big archives sooner on more workers.
    """

    stall_min_bytes_per_s: Annotated[float, Field(ge=0)] = 1_024
    """A download that brings fewer bytes a second over STALL_WINDOW_S is cut and tried again. Lower it for
    vendors that are slow by nature.
    """
    stall_window_s: Seconds = 30
    """Seconds over which a download's speed is judged; also the longest silence. Raise it for vendors that
    pause.
    """
    download_allowed_hosts: str = ""
    """Comma-separated host names, "*.example.com" for all below it; empty: the API's own host."""
    download_allow_http: bool = False
    """Whether download links without TLS are followed. For local use: the security groups let only HTTPS out.
    """
    download_allow_private_addresses: bool = False
    """Whether download hosts may resolve to private addresses. For local use, or a vendor reached through a
    private network.
    """
    download_connections_per_host: Annotated[int, Field(ge=0)] = 0
    """Connections at once that a download host allows the whole fleet; 0 sets no limit."""
    download_max_redirects: Annotated[int, Field(ge=0, le=50)] = DEFAULT_MAX_REDIRECTS
    """Redirects that a download link may lead through; each is held against the allowed hosts."""
    not_the_archive_max_wait_s: Seconds = 3_600
    """Seconds that a task waits for its archive while an error page, an empty or a cut body comes instead.
    Raise it for vendors that publish links before archives.
    """

    max_entries: Annotated[int, Field(ge=1)] = Limits().max_entries
    """The most entries an archive may have before it is parked."""
    max_directory_bytes: PositiveBytes = Limits().max_directory_bytes
    """The most bytes an archive's central directory may have before it is parked."""
    max_entry_bytes: PositiveBytes = Limits().max_entry_bytes
    """The most bytes of an entry once inflated; more is rejected. S3's largest object by default."""
    max_ratio: Annotated[float, Field(gt=1)] = Limits().max_ratio
    """How many times an entry's compressed size it may inflate to before it is rejected as a bomb; entries
    below 64 KiB are not judged. Raise it for data that repeats itself more.
    """
    max_name_bytes: Annotated[int, Field(ge=1, le=1_024)] = Limits().max_name_bytes
    """The most bytes of an entry's name in UTF-8; an S3 key has 1,024 with prefix and job id."""
    name_code_page: NonEmpty = Limits().code_page
    """Python's name of the code page of entry names that neither say nor show themselves to be UTF-8. Change
    it for a vendor whose names come out garbled.
    """
    normal_names_only: bool = Limits().normal_names_only
    """Refuse names with a root, empty or "." segments, instead of reading them without."""

    @field_validator("download_allowed_hosts", "destination_prefixes")
    @classmethod
    def _listed(cls, value: str) -> str:
        return ",".join(part.strip() for part in value.split(",") if part.strip())

    @field_validator("name_code_page")
    @classmethod
    def _code_page(cls, value: str) -> str:
        try:
            b"a".decode(value)
        except (LookupError, ValueError) as error:
            raise ValueError(f"{value!r} is no code page that Python knows") from error
        return value

    @property
    def sources(self) -> list[SourceQueue]:
        """The queues that the worker consumes from."""
        dlqs = PriorityQueues(
            normal=self.download_tasks_dlq_url,
            high=self.download_tasks_high_dlq_url,
            low=self.download_tasks_low_dlq_url,
        )
        return self.download_tasks_queues.sources(dlqs, self.priority_weights)

    @model_validator(mode="after")
    def _a_queue_has_its_dlq(self) -> Self:
        for name in ("high", "low"):
            queue, dlq = (getattr(self, f"download_tasks_{name}_{kind}_url") for kind in ("queue", "dlq"))
            if bool(queue) != bool(dlq):
                raise ValueError(
                    f"DOWNLOAD_TASKS_{name.upper()}_QUEUE_URL and its DLQ's are set together or not"
                )
        return self

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        if self.download_allowed_hosts:
            return tuple(self.download_allowed_hosts.lower().split(","))
        return ((urlsplit(self.export_api_base_url).hostname or "").lower(),)

    @property
    def allowed_destinations(self) -> tuple[str, ...]:
        return (
            tuple(self.destination_prefixes.split(","))
            if self.destination_prefixes
            else (self.object_prefix,)
        )

    @property
    def memory_budget(self) -> int:
        """Bytes; never so small that a single archive could not be worked on."""
        return self.memory_budget_bytes or min(768 * MIB, max(64 * MIB, memory_limit() // 5))


def memory_limit() -> int:
    """The container's memory limit in bytes (cgroup v2, then v1); 4 GiB where there is none."""
    for path in _MEMORY_LIMITS:
        try:
            text = path.read_text().strip()
        except OSError:
            continue
        if text.isdecimal() and int(text) < 1 << 50:
            return int(text)
    return 4 * GIB
