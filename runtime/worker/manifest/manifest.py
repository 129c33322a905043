"""The manifest of an archive: totals in one JSON document, and a line for each entry beside it."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import islice
from json.encoder import encode_basestring
from typing import Any

from pydantic import with_config

from runtime.shared.contracts import DownloadTask, EntryOutcome
from runtime.worker.fetch.identity import Identity
from runtime.worker.manifest.paths import paths_digest
from runtime.worker.plan.results import EntryResult

JSON_LINES = "application/jsonl"
_LINES_PER_CHUNK = 2_000


@with_config(use_attribute_docstrings=True)
@dataclass(frozen=True)
class ArchiveIdentity:
    """Which archive it was."""

    size: int
    """Bytes."""
    etag: str | None
    last_modified: str | None
    entries: int
    """In its directory, folders included."""

    @classmethod
    def of(cls, identity: Identity, entries: int) -> "ArchiveIdentity":
        return cls(identity.size, identity.etag, identity.last_modified, entries)


@with_config(use_attribute_docstrings=True)
@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Totals of one archive, or of one part of a split one."""

    export_job_id: str
    file_id: str
    file_name: str
    task_id: str
    correlation_id: str
    archive: ArchiveIdentity
    outcomes: Mapping[str, int]
    """How many files of the archive have which outcome."""
    bytes_fetched: int
    """Compressed bytes that came over the network."""
    bytes_saved: int
    """Compressed bytes that an earlier attempt had brought into S3, and that need not be fetched again."""
    bytes_uploaded: int
    timings: Mapping[str, float]
    """Seconds of thread time per stage."""
    paths_digest: str = "0"
    """`paths_digest` over the entries that are in S3, in hexadecimal; a part's adds to the others'."""
    finished_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))
    """ISO 8601."""
    parts: int = 1
    """How many parts the archive was split into, to be worked on at once."""
    notes: Sequence[str] = ()
    """What is unusual about the archive and did not keep it from being read."""
    schema_version: int = 1

    @property
    def matched(self) -> int:
        """Entries that are in S3 now."""
        return self.outcomes.get("uploaded", 0) + self.outcomes.get("already-present", 0)

    @property
    def rejected(self) -> int:
        return sum(self.outcomes.values()) - self.matched

    @property
    def rejected_by_reason(self) -> dict[str, int]:
        return {outcome: count for outcome, count in self.outcomes.items() if not EntryOutcome(outcome).in_s3}

    @property
    def without_metadata(self) -> int:
        """Entries that nobody expects: rejected as well, but nothing is wrong with them."""
        return self.outcomes.get(EntryOutcome.NO_METADATA, 0)

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), indent=2, sort_keys=True).encode() + b"\n"

    @classmethod
    def from_json(cls, text: bytes) -> "Manifest":
        document: dict[str, Any] = json.loads(text)
        return cls(**{**document, "archive": ArchiveIdentity(**document["archive"])})


@dataclass(frozen=True)
class ManifestKeys:
    """Where a task's manifest lies.

    A part's files lie below, with endings of their own: whoever reads all of the entry lines must not read an
    entry twice.
    """

    manifest: str
    entries: str

    @classmethod
    def of(cls, prefix: str, task: DownloadTask) -> "ManifestKeys":
        base = f"{prefix}{task.export_job_id}/{task.file_id}"
        if task.part is not None:
            return cls.of_part(prefix, task, task.part.epoch, task.part.index)
        return cls(f"{base}.json", f"{base}.entries.jsonl")

    @classmethod
    def of_part(cls, prefix: str, task: DownloadTask, epoch: int, index: int) -> "ManifestKeys":
        base = f"{prefix}{task.export_job_id}/{task.file_id}.parts/{epoch}-{index:05d}"
        return cls(f"{base}.manifest", f"{base}.lines")


def count_outcomes(outcomes: Mapping[EntryOutcome, int]) -> dict[str, int]:
    """The manifest's `outcomes`."""
    return dict(sorted((str(outcome), count) for outcome, count in outcomes.items()))


def digest_of_present(names: Iterable[str]) -> str:
    """The manifest's `paths_digest`, of the names that are in S3."""
    return f"{paths_digest(names):x}"


def entry_lines(results: Iterable[EntryResult]) -> Iterator[bytes]:
    """The entries manifest, in chunks of many lines."""
    left = iter(results)
    while lines := [_line(result) for result in islice(left, _LINES_PER_CHUNK)]:
        yield "".join(lines).encode("utf-8", "replace")


def _line(result: EntryResult) -> str:
    # Written out, because building and walking a dictionary for each of 100,000 lines takes three times as
    # long.
    entry = result.entry
    line = (
        f'{{"path":{encode_basestring(entry.name)},"outcome":"{result.outcome}","size":{entry.size},'
        f'"crc32":"{entry.crc32:08x}"'
    )
    if result.sha256 is not None:
        line += f',"sha256":"{result.sha256}"'
    if result.key is not None:
        line += f',"key":{encode_basestring(result.key)}'
    if result.detail is not None:
        line += f',"detail":{encode_basestring(result.detail)}'
    if result.note is not None:
        line += f',"note":{encode_basestring(result.note)}'
    return line + "}\n"
