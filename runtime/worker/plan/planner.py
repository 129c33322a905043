"""The plan of an archive: each entry's fate, decided before a payload byte moves.

Every file in the directory is rejected with its reason, is in S3 already, or is wanted. What is not wanted is
never downloaded. Folders are not files: they are passed over. Entries are worked on in blocks, and what is
kept of them lies in the directory's workspace: planning takes the same memory for a hundred as for a million.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from runtime.shared.contracts import EntryOutcome
from runtime.shared.scope import Scope
from runtime.shared.sizes import MIB
from runtime.worker.archive import PASSED_OVER, Directory, Entry, Limits, judge
from runtime.worker.aws.objects import ObjectStore
from runtime.worker.plan.metadata import Expected, InvalidItem, MetadataTable
from runtime.worker.plan.presence import WantedObject, present
from runtime.worker.plan.results import Results
from runtime.worker.plan.sorted_keys import SortedKeys
from runtime.worker.plan.wanted import WantedEntries

_MAX_KEY_BYTES = 1_024
_BLOCK_ENTRIES = 4_096

PLANNING_BYTES = 10 * MIB
"""What planning holds in memory at most: a block of the directory as it is read (twice 4 MiB), or a block of
entries with their metadata (2 KiB each)."""


@dataclass(frozen=True, kw_only=True)
class ArchivePlan:
    """The results that are known already, and the entries to be fetched."""

    results: Results
    wanted: WantedEntries
    largest: int
    """Bytes of the largest file that is wanted or in S3."""
    bytes_present: int
    """Compressed bytes of entries that are in S3 already and need not be fetched."""

    @property
    def bytes_to_fetch(self) -> int:
        return self.wanted.total_bytes


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
    ) -> ArchivePlan:
        """The plan for all entries, or for those of the index range `part`.

        Rules that compare entries with one another (duplicates, overlaps, collisions) see the whole directory
        either way. Raises AwsError, AwsUnreachable, boto's errors, NoScratchSpace, or what the scope ended
        with.
        """
        first, last = part or (0, len(directory))
        prefix = f"{self.object_prefix}{export_job_id}/"
        judgement = judge(directory, self.limits)
        results = Results(directory, judgement, first, last, prefix)
        keys = SortedKeys(directory.workspace)
        largest = 0
        for start in range(first, last, _BLOCK_ENTRIES):
            scope.check()
            candidates = []
            for entry in directory.entries(start, min(start + _BLOCK_ENTRIES, last)):
                refusal = judgement.refusal(entry)
                if refusal is None:
                    candidates.append(entry)
                elif refusal in PASSED_OVER:
                    results.pass_over(entry)
                else:
                    results.refuse(entry, refusal.outcome, refusal.detail)
            matched = list(self._match(export_job_id, candidates, results, scope))
            keys.add((results.key(entry, expected), entry.index) for entry, expected in matched)
            largest = max(largest, max((expected.size for _, expected in matched), default=0))
        bytes_present = self._settle_present((prefix, *self.allowed_destinations), results, keys, scope)
        return ArchivePlan(
            results=results, wanted=WantedEntries(results), largest=largest, bytes_present=bytes_present
        )

    def _match(
        self, export_job_id: str, candidates: list[Entry], results: Results, scope: Scope
    ) -> Iterator[tuple[Entry, Expected]]:
        """Entries whose metadata agrees with the directory."""
        items = self.metadata.read(export_job_id, [entry.name for entry in candidates], scope)
        for entry in candidates:
            item = items.get(entry.name)
            if item is None:
                results.refuse(entry, EntryOutcome.NO_METADATA, None)
            elif isinstance(item, InvalidItem):
                results.refuse(entry, EntryOutcome.INVALID_METADATA, item.detail)
            elif item.size != entry.size:
                results.refuse(
                    entry,
                    EntryOutcome.SIZE_MISMATCH,
                    f"the metadata says {item.size} bytes, the archive's directory {entry.size}",
                )
            elif unfit := self._unfit_key(item, results.key(entry, item)):
                results.refuse(entry, *unfit)
            else:
                results.expect(entry, item)
                yield entry, item

    def _unfit_key(self, item: Expected, key: str) -> tuple[EntryOutcome, str] | None:
        if item.destination_key is not None and not self._allowed(key):
            text = f"destination_key {key!r} is not a plain key under {self.allowed_destinations}"
            return EntryOutcome.DESTINATION_NOT_ALLOWED, text
        if len(key.encode("utf-8", "surrogatepass")) > _MAX_KEY_BYTES:
            text = f"its key would be longer than {_MAX_KEY_BYTES} bytes"
            return EntryOutcome.LIMIT_EXCEEDED, text
        return None

    def _allowed(self, key: str) -> bool:
        segments = key.split("/")
        plain = key.isprintable() and "" not in segments and "." not in segments and ".." not in segments
        return plain and key.startswith(self.allowed_destinations)

    def _settle_present(
        self, prefixes: tuple[str, ...], results: Results, keys: Iterable[tuple[str, int]], scope: Scope
    ) -> int:
        """Compressed bytes of the entries that are in S3 already."""

        def wanted(index: int) -> WantedObject:
            entry = results.directory[index]
            return WantedObject(entry.size, entry.crc32, results.expected(entry).sha256)

        size = 0
        for index in present(self.store, prefixes, _once(keys, results), wanted, scope):
            entry = results.directory[index]
            results.settle(entry, EntryOutcome.ALREADY_PRESENT)
            size += entry.compressed_size
        return size


def _once(keys: Iterable[tuple[str, int]], results: Results) -> Iterator[tuple[str, int]]:
    """Each key once; the entries after the first that also go there are refused."""
    last = None
    for key, index in keys:
        if key == last:
            text = f"another entry of this archive goes to {key!r}"
            results.refuse(results.directory[index], EntryOutcome.NAME_COLLISION, text)
            continue
        last = key
        yield key, index
