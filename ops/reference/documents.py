"""The documents that others read besides messages and events, by field: objects and message attributes.

The services write these without a model, for speed or because SQS and S3 have a form of their own; a test
holds what they write against this.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from runtime.shared.contracts import EntryOutcome, MissingReason, ParkReason

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Crc32 = Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")]
Count = Annotated[int, Field(ge=0)]


class Document(BaseModel):
    """Fields are only ever added, so readers ignore those that they do not know."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class EntryLine(Document):
    """A line of `manifests/{export_job_id}/{file_id}.entries.jsonl`: what became of one of its files."""

    path: str
    """The entry's name in its safe normal form; the metadata's `file_path`."""
    outcome: EntryOutcome
    size: Count
    """Bytes, as the archive's directory announces them."""
    crc32: Crc32
    """As the directory announces it."""
    sha256: Sha256 | None = None
    """What the metadata expects, and for an uploaded file what was found; only for files in S3."""
    key: str | None = None
    """The object in the bucket; only for files in S3."""
    detail: str | None = None
    """What was wrong, for people."""
    note: str | None = None
    """What is unusual about the entry and did not keep it from being read."""


class MissingLine(Document):
    """A line of `manifests/{export_job_id}/missing.jsonl`: one expected file that is not in S3."""

    path: str
    """The metadata's `file_path`."""
    reason: MissingReason | EntryOutcome
    """A reason of its own, or the outcome of the rejected entry of that name."""
    file_id: str | None = None
    """The archive that held such an entry, where one did."""


class ObjectMetadata(Document):
    """User metadata of every object that was extracted. What is not printable ASCII is percent-encoded."""

    export_job_id: Annotated[str, Field(alias="export-job-id")]
    file_id: Annotated[str, Field(alias="file-id")]
    """The archive that it came from."""
    correlation_id: Annotated[str, Field(alias="correlation-id")]
    sha256: Sha256 | None = None
    """Absent where the metadata gives none: then size and CRC-32 alone were compared."""


class DeadLetterAttributes(Document):
    """Message attributes, all of type String, beside the original body on a dead-letter queue.

    A message without `reason` was moved by SQS itself. Foreign attributes travel along; SQS allows ten in
    all, so that ours may be fewer.
    """

    reason: ParkReason
    first_seen: str
    """When the message was first sent, ISO 8601, whatever copies were made of it since."""
    service: Literal["orchestrator", "worker"]
    correlation_id: str
    error: Annotated[str, Field(max_length=2_000)]
    """For people."""
    traceparent: str | None = None
    """W3C trace context of the trace that the work belongs to, where tracing is on."""
    tracestate: str | None = None
    """What the tracing systems on the way have added to it."""


class HandOverAttributes(Document):
    """Message attributes of a copy that a service sends to its own queue, all of type String.

    A copy is a hand-over, or another try after a failure.
    """

    first_seen: str
    """When the message was first sent, ISO 8601, whatever copies were made of it since."""
    handovers: Annotated[str, Field(pattern=r"^\d+$")]
    """How many copies there were before."""
    failing: str | None = None
    """The run of failures that this try belongs to; the ledger has it as well."""
    crashes: str | None = None
    """Receives that ended in a crash before this copy was made."""
    lineage: str | None = None
    """This copy's id and, behind a `/`, that of the message in whose place it was sent after work on it."""
    progress: str | None = None
    """JSON that only the service itself reads."""
    traceparent: str | None = None
    """W3C trace context of the trace that the work belongs to, where tracing is on."""
    tracestate: str | None = None
    """What the tracing systems on the way have added to it."""
