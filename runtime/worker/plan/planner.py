"""What to do with each entry of an archive, decided before a payload byte moves.

Every file in the directory is rejected with its reason, is in S3 already, or is wanted. What is not wanted is
never downloaded. Folders are not files: they are passed over.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from runtime.shared.contracts import EntryOutcome
from runtime.worker.archive import PASSED_OVER, Directory, Entry, Limits, judge
from runtime.worker.aws.objects import ObjectStore
from runtime.worker.bounds.scope import Scope
from runtime.worker.plan.metadata import Expected, InvalidItem, MetadataTable
from runtime.worker.plan.presence import WantedObject, present_keys

_MAX_KEY_BYTES = 1_024


@dataclass(slots=True)
class EntryResult:
    """What became of one entry: a line of the entries manifest."""

    entry: Entry
    outcome: EntryOutcome | None = None
    detail: str | None = None
    sha256: str | None = None
    key: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """An entry to fetch: bytes [start, stop) of the archive hold its local header and payload."""

    entry: Entry
    expected: Expected
    key: str
    start: int
    stop: int
    result: EntryResult


@dataclass(frozen=True)
class Plan:
    """`results` has one line per file in directory order; `wanted` is sorted by place in the archive."""

    results: Sequence[EntryResult]
    wanted: Sequence[Wanted]
    bytes_present: int
    """Compressed bytes of entries that are in S3 already and need not be fetched."""

    @property
    def bytes_to_fetch(self) -> int:
        return sum(entry.stop - entry.start for entry in self.wanted)


@dataclass(frozen=True, kw_only=True)
class Planner:
    """Joins a directory with the metadata table and the bucket."""

    limits: Limits
    metadata: MetadataTable
    store: ObjectStore
    object_prefix: str
    allowed_destinations: tuple[str, ...]

    def plan(
        self, export_job_id: str, directory: Directory, scope: Scope, part: tuple[int, int] | None = None
    ) -> Plan:
        """What becomes of all entries, or of those of the index range `part`.

        Rules that compare entries with one another (duplicates, overlaps, collisions) see the whole directory
        either way. Raises AwsError, AwsUnreachable, boto's errors, or what the scope ended with.
        """
        first, last = part or (0, len(directory))
        judgement = judge(directory, self.limits)
        results, open_results = [], []
        for entry in directory.entries(first, last):
            refusal = judgement.refusal(entry)
            if refusal in PASSED_OVER:
                continue  # it has no bytes of its own, and S3 has no folders to make
            result = EntryResult(entry, note=judgement.note(entry))
            results.append(result)
            if refusal is None:
                open_results.append(result)
            else:
                result.outcome, result.detail = refusal.outcome, refusal.detail
        scope.check()
        matched = self._match(export_job_id, open_results, scope)
        return self._without_present(export_job_id, directory, results, matched, scope)

    def _match(
        self, export_job_id: str, open_results: list[EntryResult], scope: Scope
    ) -> dict[str, tuple[EntryResult, Expected]]:
        """Entries whose metadata agrees with the directory, by the key they will have."""
        items = self.metadata.read(export_job_id, [result.entry.name for result in open_results], scope)
        matched: dict[str, tuple[EntryResult, Expected]] = {}
        for result in open_results:
            item, entry = items.get(result.entry.name), result.entry
            if item is None:
                result.outcome = EntryOutcome.NO_METADATA
            elif isinstance(item, InvalidItem):
                result.outcome, result.detail = EntryOutcome.INVALID_METADATA, item.detail
            elif item.size != entry.size:
                result.outcome = EntryOutcome.SIZE_MISMATCH
                result.detail = f"the metadata says {item.size} bytes, the archive's directory {entry.size}"
            else:
                key = item.destination_key or f"{self.object_prefix}{export_job_id}/{entry.name}"
                self._check_key(result, item, key, taken=key in matched)
                if result.outcome is None:
                    result.key = key
                    matched[key] = (result, item)
        return matched

    def _check_key(self, result: EntryResult, item: Expected, key: str, *, taken: bool) -> None:
        if item.destination_key is not None and not self._allowed(key):
            result.outcome = EntryOutcome.DESTINATION_NOT_ALLOWED
            result.detail = f"destination_key {key!r} is not a plain key under {self.allowed_destinations}"
        elif len(key.encode("utf-8", "surrogatepass")) > _MAX_KEY_BYTES:
            result.outcome = EntryOutcome.LIMIT_EXCEEDED
            result.detail = f"its key would be longer than {_MAX_KEY_BYTES} bytes"
        elif taken:
            result.outcome = EntryOutcome.NAME_COLLISION
            result.detail = f"another entry of this archive goes to {key!r}"

    def _allowed(self, key: str) -> bool:
        segments = key.split("/")
        plain = key.isprintable() and "" not in segments and "." not in segments and ".." not in segments
        return plain and key.startswith(self.allowed_destinations)

    def _without_present(
        self,
        export_job_id: str,
        directory: Directory,
        results: list[EntryResult],
        matched: dict[str, tuple[EntryResult, Expected]],
        scope: Scope,
    ) -> Plan:
        objects = {
            key: WantedObject(result.entry.size, result.entry.crc32, item.sha256)
            for key, (result, item) in matched.items()
        }
        prefixes = (f"{self.object_prefix}{export_job_id}/", *self.allowed_destinations)
        present = present_keys(self.store, prefixes, objects, scope)
        wanted, bytes_present = [], 0
        for key, (result, item) in matched.items():
            if key in present:
                result.outcome, result.sha256 = EntryOutcome.ALREADY_PRESENT, item.sha256
                bytes_present += result.entry.compressed_size
            else:
                start, stop = directory.span(result.entry)
                wanted.append(Wanted(result.entry, item, key, start, stop, result))
        wanted.sort(key=lambda entry: entry.start)
        return Plan(results, wanted, bytes_present)
