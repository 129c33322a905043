"""The messages other teams code against, and the words both services use for what became of them.

Parsing happens here, at the edge; inside the services these models are trusted. Fields are only ever
added. Unknown fields are ignored, so that producers can run ahead of us.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

MAX_JOBS_PER_MESSAGE = 1_000

# Written so that JSON Schema reads them as Python does: the schemas carry them.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NOT_ONE_SEGMENT = re.compile(r"[\x00-\x20\x7f/\\?#]|^\.{1,2}$")


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


Identifier = Annotated[
    str,
    StringConstraints(min_length=1, max_length=256),
    AfterValidator(_one_segment),
    Field(json_schema_extra={"not": {"pattern": _NOT_ONE_SEGMENT.pattern}}),
]
CorrelationId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=256),
    AfterValidator(_printable),
    Field(json_schema_extra={"not": {"pattern": _CONTROL.pattern}}),
]
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
    LISTING_LOOP = "listing-loop"
    LISTING_TOO_LONG = "listing-too-long"
    DOWNLOAD_FORBIDDEN = "download-forbidden"
    NOT_A_ZIP = "not-a-zip"
    TRUNCATED_ARCHIVE = "truncated-archive"
    INVALID_ARCHIVE = "invalid-archive"
    MULTI_DISK_ARCHIVE = "multi-disk-archive"
    ENCRYPTED_ARCHIVE = "encrypted-archive"
    ARCHIVE_LIMIT_EXCEEDED = "archive-limit-exceeded"
    RETRIES_EXHAUSTED = "retries-exhausted"
    CRASH_LOOP = "crash-loop"


# What only a message or the vendor decides: a version of ours can park for anything else.
NOT_OURS = frozenset(
    {
        ParkReason.MALFORMED_MESSAGE,
        ParkReason.UNKNOWN_JOB,
        ParkReason.UNKNOWN_FILE,
        ParkReason.EXPORT_FAILED,
        ParkReason.EXPORT_EXPIRED,
        ParkReason.EXPORT_NOT_READY,
        # An outage that lasted longer than the environment is built for.
        ParkReason.RETRIES_EXHAUSTED,
    }
)


class EntryOutcome(StrEnum):
    """The outcome of one entry of an archive; one per line of the entries manifest.

    Whom to call differs. `corrupt-data`: the entry disagrees with its own archive's directory (CRC-32, sizes,
    compressed data), in two separate fetches: the vendor has made or stored a broken archive.
    `checksum-mismatch`: the entry is whole, and is not what the metadata says: the owners of the metadata and
    the vendor disagree about the file.
    """

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


class MissingReason(StrEnum):
    """Why an expected file is not in S3, where no entry's outcome says it.

    A job's missing files are named in `manifests/{export_job_id}/missing.jsonl`, one JSON object a line:
    `path`, `reason` (one of these, or the outcome of the rejected entry of that name) and, where an archive
    held such an entry, its `file_id`. The list is of the job's last count; an empty one says that nothing is
    missing any more.
    """

    NOT_IN_ANY_ARCHIVE = "not-in-any-archive"
    """No archive that could be read has an entry of that name; parked archives could not."""
    METADATA_CHANGED = "metadata-changed"
    """An entry was uploaded as the metadata said then, with another size or digest than it says now."""


class InvalidMessage(ValueError):
    """A body that is not the contract; parked with this reason and text."""

    def __init__(self, text: str, reason: ParkReason = ParkReason.MALFORMED_MESSAGE) -> None:
        super().__init__(text)
        self.reason = reason


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, use_attribute_docstrings=True)


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
    run: Annotated[int, Field(ge=1)] | None = None
    """Which run of the job listed it, where that was not the first."""


class JobCountRequest(_Message):
    """A message on `download-tasks` that names no archive: the job has ended, count what has arrived.

    The services send it to themselves; an operator may send it too: for a job whose end has been said it
    changes nothing.
    """

    schema_version: Literal[1] = 1
    count_job: Identifier
    correlation_id: CorrelationId


M = TypeVar("M", bound=_Message)

_IDENTIFIER: TypeAdapter[str] = TypeAdapter(Identifier)
_CORRELATION_ID: TypeAdapter[str] = TypeAdapter(CorrelationId)
_PRIORITY: TypeAdapter[Priority] = TypeAdapter(Priority)
_READ_NAMES = frozenset(
    {
        *ExportJobsMessage.model_fields,
        *DownloadTask.model_fields,
        *JobCountRequest.model_fields,
        "Message",
        "detail",
    }
)
_BYTE_ORDER_MARK = "\ufeff"
# SNS in EventBridge in SNS is as deep as anybody has built it.
_MAX_WRAPPERS = 4


def task_id_for(export_job_id: str, file_id: str) -> str:
    """The same job and file always make the same task, so that listing twice makes no second one."""
    # A length prefix keeps ("ab", "c") and ("a", "bc") apart whatever characters the ids hold.
    return hashlib.sha256(f"{len(export_job_id)}:{export_job_id}{file_id}".encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class ExportJobs:
    """A message on `export-jobs` as it can be worked on: the good, and what to do with the rest."""

    message: ExportJobsMessage
    """The usable ids, each once."""
    rejected: tuple[Any, ...] = ()
    """Values among the ids that are none, as they came: each is parked in a message of its own."""
    ignored: tuple[str, ...] = ()
    """Sentences about fields that were left out, because no job should wait for them."""


def parse_export_jobs(body: str) -> ExportJobs:
    """Read a body of `export-jobs`, plain or wrapped by SNS (`Message`), EventBridge (`detail`) or both.

    Raises InvalidMessage with a sentence that names the field at fault when no id can be used.
    """
    document = _unwrap(_load(body))
    ids = document.get("export_job_ids")
    if not isinstance(ids, list) or not 0 < len(ids) <= MAX_JOBS_PER_MESSAGE:
        return ExportJobs(_validate(ExportJobsMessage, document))
    good, rejected = _sorted_ids(ids)
    if not good:
        return ExportJobs(_validate(ExportJobsMessage, document))
    fields: dict[str, Any] = {"export_job_ids": good}
    ignored = []
    for name, type_ in (("correlation_id", _CORRELATION_ID), ("priority", _PRIORITY)):
        value = document.get(name)
        try:
            fields[name] = type_.validate_python(value) if value not in (None, "") else None
        except ValidationError as error:
            ignored.append(f"{name} is not used: {error.errors(include_input=False)[0]['msg']}")
    return ExportJobs(ExportJobsMessage(**fields), rejected, tuple(ignored))


def _sorted_ids(ids: list[Any]) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """The usable ids and the others, each once and in order."""
    good: dict[str, None] = {}
    rejected: dict[str, Any] = {}
    for value in ids:
        try:
            good[_IDENTIFIER.validate_python(value, strict=True)] = None
        except ValidationError:
            rejected[json.dumps(value)] = value
    return tuple(good), tuple(rejected.values())


def parse_download_task(body: str) -> DownloadTask | JobCountRequest:
    """Read a body of `download-tasks`. Raises InvalidMessage."""
    document = _load(body)
    version = document.get("schema_version")
    if isinstance(version, int) and version != 1:
        raise InvalidMessage(
            f"schema_version {version} is not known to this version of the worker (it reads 1)",
            ParkReason.UNSUPPORTED_SCHEMA_VERSION,
        )
    if "count_job" in document:
        return _validate(JobCountRequest, document)
    return _validate(DownloadTask, document)


def _load(body: str) -> dict[str, Any]:
    try:
        document = json.loads(body.removeprefix(_BYTE_ORDER_MARK), object_pairs_hook=_unambiguous)
    except (ValueError, RecursionError) as error:
        raise InvalidMessage(f"the body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidMessage(f"the body is a JSON {type(document).__name__}, not an object")
    return document


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, unless it gives a name that matters here twice: parsers disagree on which one counts."""
    document = dict(pairs)
    if len(document) < len(pairs):
        for name, value in pairs:
            if name in _READ_NAMES and document[name] != value:
                raise ValueError(f"{name} is given twice, with different values")
    return document


def _unwrap(document: dict[str, Any]) -> dict[str, Any]:
    """The body without the wrapping of SNS (`Message`, text) or EventBridge (`detail`, object or text)."""
    for _ in range(_MAX_WRAPPERS):
        if "export_job_ids" in document:
            break
        inner = document.get("Message", document.get("detail"))
        if isinstance(inner, str):
            document = _load(inner)
        elif isinstance(inner, dict):
            document = inner
        else:
            break
    return document


def _validate(model: type[M], document: dict[str, Any]) -> M:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc']) or 'body'}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False)[:5]
        )
        raise InvalidMessage(f"not a {model.__name__}: {faults}") from error
