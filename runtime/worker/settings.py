"""What the worker reads from its environment, beside what both services share."""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from runtime.shared.consumer import SourceQueue
from runtime.shared.priorities import PriorityQueues
from runtime.shared.setting_types import HttpUrl, HttpUrlOrNone, NonEmpty, Seconds
from runtime.shared.settings import CommonSettings
from runtime.worker.archive import Limits
from runtime.worker.fetch.transport import DEFAULT_MAX_REDIRECTS

MIB = 1024 * 1024
GIB = 1024 * MIB
_MEMORY_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))

Bytes = Annotated[int, Field(ge=0)]
PositiveBytes = Annotated[int, Field(gt=0)]


class WorkerSettings(CommonSettings):
    """The field name in upper case is the variable."""

    service_mode: Literal["worker"] = "worker"
    slots: Annotated[int, Field(ge=1, le=1_000)] = 32

    download_tasks_dlq_url: HttpUrl
    download_tasks_high_dlq_url: HttpUrlOrNone = ""
    download_tasks_low_dlq_url: HttpUrlOrNone = ""
    bucket_name: NonEmpty
    object_prefix: Annotated[str, Field(pattern=r"^[^/].*/$")] = "exports/"
    manifest_prefix: Annotated[str, Field(pattern=r"^[^/].*/$")] = "manifests/"
    destination_prefixes: str = ""
    """Comma-separated key prefixes a metadata item's destination_key may lie under; empty: the object
    prefix.
    """

    metadata_table_name: NonEmpty
    metadata_job_attribute: NonEmpty = "export_job_id"
    metadata_path_attribute: NonEmpty = "file_path"
    metadata_size_attribute: NonEmpty = "size"
    metadata_sha256_attribute: NonEmpty = "sha256"
    metadata_content_type_attribute: NonEmpty = "content_type"
    metadata_destination_attribute: NonEmpty = "destination_key"
    metadata_wait_s: Annotated[float, Field(ge=0)] = 0
    """How long after the files their metadata may be written: entries that nobody expects yet are looked at
    again after it, and a job is counted no sooner.
    """

    memory_budget_bytes: Bytes = 0
    """What all buffers of the process may hold together; 0: a fifth of the container's memory limit."""
    scratch_dir: Path = Path("/scratch")
    scratch_budget_bytes: PositiveBytes = 100 * GIB

    connections_per_archive: Annotated[int, Field(ge=1, le=64)] = 4
    helper_threads: Annotated[int, Field(ge=1, le=256)] = 32
    """Threads shared by all archives that fetch beside a slot's own thread."""
    upload_threads: Annotated[int, Field(ge=1, le=256)] = 16
    """Threads shared by all archives that extract small entries and send objects."""
    merge_gap_bytes: Bytes = 64 * 1024
    """Wanted entries closer than this are fetched by one request."""
    split_bytes: PositiveBytes = 8 * GIB

    stall_min_bytes_per_s: Annotated[float, Field(ge=0)] = 1_024
    stall_window_s: Seconds = 30
    download_allowed_hosts: str = ""
    """Comma-separated host names, "*.example.com" for all below it; empty: the API's own host."""
    download_allow_http: bool = False
    download_allow_private_addresses: bool = False
    download_connections_per_host: Annotated[int, Field(ge=0)] = 0
    """What a host allows the whole fleet at once; 0 sets no limit."""
    download_max_redirects: Annotated[int, Field(ge=0, le=50)] = DEFAULT_MAX_REDIRECTS
    not_the_archive_max_wait_s: Seconds = 3_600
    """How long a task waits for its archive while an error page, an empty or a cut body comes instead."""

    max_entries: Annotated[int, Field(ge=1)] = Limits().max_entries
    max_directory_bytes: PositiveBytes = Limits().max_directory_bytes
    max_entry_bytes: PositiveBytes = Limits().max_entry_bytes
    max_ratio: Annotated[float, Field(gt=1)] = Limits().max_ratio
    max_name_bytes: Annotated[int, Field(ge=1, le=1_024)] = Limits().max_name_bytes
    name_code_page: NonEmpty = Limits().code_page
    """Python's name of the code page of entry names that neither say nor show themselves to be UTF-8."""
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
        """What the worker consumes from."""
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
