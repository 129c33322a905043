"""The messages other teams code against, and the words both services use for what became of them.

Parsing happens here, at the edge; inside the services these models are trusted. Fields are only ever
added. Unknown fields are ignored, so that producers can run ahead of us.
"""

import hashlib
import json
import re
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

MAX_JOBS_PER_MESSAGE = 1_000

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NOT_ONE_SEGMENT = re.compile(r"[\x00-\x20\x7f/\\?#]|\A\.{1,2}\Z")


def _one_segment(value: str) -> str:
    # Job and file ids become parts of URLs, S3 keys and ledger keys: what could leave its own segment
    # is refused here once instead of escaped in every place.
    if _NOT_ONE_SEGMENT.search(value):
        raise ValueError("an id holds no space, control character, /, \\, ? or #, and is not . or ..")
    return value


def _printable(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("it holds a control character")
    return value


Identifier = Annotated[str, StringConstraints(min_length=1, max_length=256), AfterValidator(_one_segment)]
CorrelationId = Annotated[str, StringConstraints(min_length=1, max_length=256), AfterValidator(_printable)]
Priority = Literal["high", "normal", "low"]


class ParkReason(StrEnum):
    """Why a message can never succeed as it is; written on the DLQ message and in the ledger."""

    MALFORMED_MESSAGE = "malformed-message"
    UNSUPPORTED_SCHEMA_VERSION = "unsupported-schema-version"
    UNKNOWN_JOB = "unknown-job"
    UNKNOWN_FILE = "unknown-file"
    EXPORT_FAILED = "export-failed"
    EXPORT_EXPIRED = "export-expired"
    EXPORT_NOT_READY = "export-not-ready"
    DOWNLOAD_FORBIDDEN = "download-forbidden"
    NOT_A_ZIP = "not-a-zip"
    TRUNCATED_ARCHIVE = "truncated-archive"
    INVALID_ARCHIVE = "invalid-archive"
    MULTI_DISK_ARCHIVE = "multi-disk-archive"
    ARCHIVE_LIMIT_EXCEEDED = "archive-limit-exceeded"
    RETRIES_EXHAUSTED = "retries-exhausted"


class EntryOutcome(StrEnum):
    """What became of one entry of an archive; one per line of the entries manifest."""

    UPLOADED = "uploaded"
    ALREADY_PRESENT = "already-present"
    NO_METADATA = "no-metadata"
    INVALID_METADATA = "invalid-metadata"
    SIZE_MISMATCH = "size-mismatch"
    CHECKSUM_MISMATCH = "checksum-mismatch"
    UNSAFE_NAME = "unsafe-name"
    DUPLICATE_NAME = "duplicate-name"
    NAME_COLLISION = "name-collision"
    NOT_A_FILE = "not-a-file"
    ENCRYPTED = "encrypted"
    UNSUPPORTED_METHOD = "unsupported-method"
    LIMIT_EXCEEDED = "limit-exceeded"
    HEADER_MISMATCH = "header-mismatch"
    OVERLAP = "overlap"
    CORRUPT_DATA = "corrupt-data"
    DESTINATION_NOT_ALLOWED = "destination-not-allowed"

    @property
    def in_s3(self) -> bool:
        return self in (EntryOutcome.UPLOADED, EntryOutcome.ALREADY_PRESENT)


class InvalidMessage(ValueError):
    """A body that is not the contract; parked with this reason and text."""

    def __init__(self, text: str, reason: ParkReason = ParkReason.MALFORMED_MESSAGE) -> None:
        super().__init__(text)
        self.reason = reason


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class ExportJobsMessage(_Message):
    """A message on `export-jobs`: the exports to process."""

    export_job_ids: Annotated[
        tuple[Identifier, ...], Field(min_length=1, max_length=MAX_JOBS_PER_MESSAGE, strict=False)
    ]
    correlation_id: CorrelationId | None = None
    priority: Priority | None = None


class EntryRange(_Message):
    """A part of a split task: the directory entries [first, last) of the archive with this identity."""

    index: Annotated[int, Field(ge=0)]
    count: Annotated[int, Field(ge=1)]
    first: Annotated[int, Field(ge=0)]
    last: Annotated[int, Field(ge=0)]
    epoch: Annotated[int, Field(ge=0)] = 0


class DownloadTask(_Message):
    """A message on `download-tasks`: one archive of one export job, or one part of it."""

    schema_version: Literal[1] = 1
    task_id: Identifier
    export_job_id: Identifier
    file_id: Identifier
    file_name: Annotated[str, StringConstraints(min_length=1, max_length=4_096)]
    size: Annotated[int, Field(ge=0)] | None = None
    download_url: Annotated[str, StringConstraints(min_length=1, max_length=65_536)]
    correlation_id: CorrelationId
    priority: Priority | None = None
    part: EntryRange | None = None


M = TypeVar("M", bound=_Message)


def task_id_for(export_job_id: str, file_id: str) -> str:
    """The same job and file always make the same task, so that listing twice makes no second one."""
    # A length prefix keeps ("ab", "c") and ("a", "bc") apart whatever characters the ids hold.
    return hashlib.sha256(f"{len(export_job_id)}:{export_job_id}{file_id}".encode()).hexdigest()[:32]


def parse_export_jobs(body: str) -> ExportJobsMessage:
    """Read a body of `export-jobs`, plain or wrapped by SNS (`Message`) or EventBridge (`detail`).

    Raises InvalidMessage with a sentence that names the field at fault.
    """
    return _validate(ExportJobsMessage, _unwrap(_load(body)))


def parse_download_task(body: str) -> DownloadTask:
    """Read a body of `download-tasks`. Raises InvalidMessage."""
    document = _load(body)
    version = document.get("schema_version")
    if isinstance(version, int) and version != 1:
        raise InvalidMessage(
            f"schema_version {version} is not known to this version of the worker (it reads 1)",
            ParkReason.UNSUPPORTED_SCHEMA_VERSION,
        )
    return _validate(DownloadTask, document)


def _load(body: str) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidMessage(f"the body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidMessage(f"the body is a JSON {type(document).__name__}, not an object")
    return document


def _unwrap(document: dict[str, Any]) -> dict[str, Any]:
    if "export_job_ids" in document:
        return document
    message, detail = document.get("Message"), document.get("detail")
    if isinstance(message, str):
        # An SNS subscription may itself carry an EventBridge event.
        return _unwrap(_load(message))
    return detail if isinstance(detail, dict) else document


def _validate(model: type[M], document: dict[str, Any]) -> M:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc']) or 'body'}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False)[:5]
        )
        raise InvalidMessage(f"not a {model.__name__}: {faults}") from error
