"""One archive from its URL to its manifest: open, plan, fetch, verify, upload.

Knows nothing of queues and leases: a service wraps it, and a benchmark calls it as it is.
"""

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from runtime.shared.contracts import DownloadTask
from runtime.shared.export_api import FileRecord
from runtime.worker.archive import Directory, Limits, read_directory
from runtime.worker.budget import ByteBudget
from runtime.worker.checkpoints import Checkpoints
from runtime.worker.clients import Clients
from runtime.worker.download.archive_bytes import ArchiveBytes, open_archive
from runtime.worker.download.errors import ArchiveChanged, DownloadFailed, NoRanges
from runtime.worker.download.guard import HostGuard
from runtime.worker.download.locator import Locator
from runtime.worker.download.meter import ByteMeter
from runtime.worker.download.ranges import Connector
from runtime.worker.download.spool import Scratch
from runtime.worker.download.transport import Transport
from runtime.worker.lanes import BLOCK_OUTPUT_BYTES, BLOCK_RAW_BYTES, Lanes, work_through
from runtime.worker.manifest import (
    JSON_LINES,
    ArchiveIdentity,
    Manifest,
    ManifestKeys,
    count_outcomes,
    entry_lines,
)
from runtime.worker.metadata import Attributes, MetadataTable
from runtime.worker.plan import Plan, Planner
from runtime.worker.publish import Fence, Publisher
from runtime.worker.run import Run
from runtime.worker.scope import CancellationLike, Scope, scope_of
from runtime.worker.settings import MIB, WorkerSettings
from runtime.worker.spans import pieces
from runtime.worker.split import split_ranges
from runtime.worker.timings import Timings
from runtime.worker.uploads import MIN_PART_BYTES, Uploader, part_size
from runtime.worker.window import Window

_GENEROUS_PART_BYTES = 16 * MIB
_ENTRY_MEMORY_BYTES = 1_024  # an entry with its result, metadata and names, measured
_RESTARTS = 3


class ExportApiAccess(Protocol):
    """What a download needs of the Export API."""

    def get_file(self, export_job_id: str, file_id: str) -> FileRecord: ...
    def headers_for(self, url: str) -> Mapping[str, str]: ...


class NoApi:
    """Download URLs are used as they are, without credentials; one that has run out fails the download."""

    def get_file(self, export_job_id: str, file_id: str) -> FileRecord:
        raise DownloadFailed(
            f"the download URL of {export_job_id}/{file_id} is refused, and there is no API to ask"
        )

    def headers_for(self, url: str) -> Mapping[str, str]:  # noqa: ARG002 -- the API's own needs it
        return {}


@dataclass(frozen=True)
class TooLarge:
    """The archive is to be worked on in parts: entry ranges [first, last) that cover the directory."""

    ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class _Attempt:
    """One try at an archive; the meter and the timings go on from the try before."""

    task: DownloadTask
    scope: Scope
    meter: ByteMeter
    timings: Timings
    progressed: Callable[[], None]
    fence: Fence
    checkpoints: Checkpoints


def _nothing() -> None:
    """No lease to check, nobody to tell."""


class ArchiveProcessor:
    """Thread-safe; one per process. The budgets and the shared threads are its own."""

    def __init__(
        self, settings: WorkerSettings, clients: Clients, api: ExportApiAccess | None = None
    ) -> None:
        self._settings = settings
        self._clients = clients
        self._api = api or NoApi()
        minimum = _grant_bytes(MIN_PART_BYTES)
        total = settings.memory_budget
        self.memory = ByteBudget(
            total, places=settings.slots, minimum=min(minimum, total // (2 * settings.slots))
        )
        self._publisher = Publisher(clients.s3, settings.bucket_name)
        self._scratch = Scratch(settings.scratch_dir, settings.scratch_budget_bytes)
        self._helpers = ThreadPoolExecutor(settings.helper_threads, "fetch")
        self._uploads = ThreadPoolExecutor(settings.upload_threads, "upload")
        guard = HostGuard(
            settings.allowed_hosts,
            allow_http=settings.download_allow_http,
            allow_private=settings.download_allow_private_addresses,
        )
        self._transport = Transport(
            guard,
            self._api.headers_for,
            timeout_s=settings.stall_window_s,
        )
        self._limits = Limits(
            max_entries=settings.max_entries,
            max_directory_bytes=settings.max_directory_bytes,
            max_entry_bytes=settings.max_entry_bytes,
            max_ratio=settings.max_ratio,
            max_name_bytes=settings.max_name_bytes,
        )
        attributes = Attributes(
            settings.metadata_table_name,
            settings.metadata_job_attribute,
            settings.metadata_path_attribute,
            settings.metadata_size_attribute,
            settings.metadata_sha256_attribute,
            settings.metadata_content_type_attribute,
            settings.metadata_destination_attribute,
        )
        self._planner = Planner(
            self._limits,
            MetadataTable(clients.tables, attributes),
            clients.objects,
            settings.object_prefix,
            settings.allowed_destinations,
        )

    def process(
        self,
        task: DownloadTask,
        cancellation: CancellationLike,
        *,
        progressed: Callable[[], None] = _nothing,
        fence: Fence = _nothing,
        checkpoints: Checkpoints | None = None,
        may_split: bool = False,
    ) -> Manifest | TooLarge:
        """Bring the archive's (or part's) matching entries into S3 and publish its manifest.

        With `may_split`, an archive with more than SPLIT_BYTES still to fetch is answered with TooLarge
        instead. Raises ArchiveRejected (park), ForbiddenDownload (park), DownloadFailed, NoScratchSpace,
        AwsError, AwsUnreachable, boto's errors (retry), ArchiveChanged (of a part: start the split over),
        LeaseLost, Cancelled.
        """
        meter, timings = ByteMeter(progressed), Timings()
        kept = checkpoints or Checkpoints()
        ranges = True
        changed: ArchiveChanged | None = None
        for _ in range(_RESTARTS + 1):
            with scope_of(cancellation) as scope:
                attempt = _Attempt(task, scope, meter, timings, progressed, fence, kept)
                try:
                    return self._attempt(attempt, ranges=ranges, may_split=may_split)
                except NoRanges:
                    ranges = False
                except ArchiveChanged as error:
                    if task.part is not None:
                        raise
                    changed = error
        raise DownloadFailed(f"the archive keeps changing while it is read: {changed}")

    def close(self) -> None:
        """Let the shared threads end."""
        self._helpers.shutdown(wait=False, cancel_futures=True)
        self._uploads.shutdown(wait=False, cancel_futures=True)

    def _attempt(self, attempt: "_Attempt", *, ranges: bool, may_split: bool) -> Manifest | TooLarge:
        task, scope, timings = attempt.task, attempt.scope, attempt.timings
        locator = Locator(
            self._settings.export_api_base_url + "/",
            task.download_url,
            lambda: self._api.get_file(task.export_job_id, task.file_id).download_url,
        )
        connector = Connector(
            self._transport,
            locator,
            attempt.meter,
            scope,
            self._settings.stall_min_bytes_per_s,
            self._settings.stall_window_s,
        )
        with timings.stage("open"):
            archive = open_archive(connector, self._scratch, ranges=ranges)
        try:
            with timings.stage("open"):
                directory = read_directory(archive, self._limits, tail=archive.tail)
            archive.tail = None
            part = (task.part.first, task.part.last) if task.part is not None else None
            if part is not None and part[1] > len(directory):
                raise ArchiveChanged(f"it has {len(directory)} entries, fewer than when it was split")
            with timings.stage("plan"):
                plan = self._planner.plan(task.export_job_id, directory, scope, part)
            if may_split and plan.bytes_to_fetch > self._settings.split_bytes:
                cut = split_ranges(plan, len(directory), self._settings.split_bytes)
                if len(cut) > 1:
                    return TooLarge(cut)
            run = self._fetch(attempt, archive, plan)
        finally:
            archive.close()
        return self._publish(attempt, archive, directory, plan, run)

    def _fetch(self, attempt: "_Attempt", archive: ArchiveBytes, plan: Plan) -> Run | None:
        if not plan.wanted:
            return None
        largest = max(wanted.entry.size for wanted in plan.wanted)
        least = part_size(largest)
        book = len(plan.results) * _ENTRY_MEMORY_BYTES
        grant = self.memory.acquire(
            _grant_bytes(min(least, largest)) + book,
            attempt.scope,
            generous=_grant_bytes(min(max(least, _GENEROUS_PART_BYTES), largest)) + book,
        )
        with grant:
            buffers = grant.size - book - BLOCK_RAW_BYTES
            part = max(least, min(_GENEROUS_PART_BYTES, buffers // 2 // MIB * MIB))
            uploader = Uploader(
                self._clients.objects,
                self._uploads,
                Window(buffers - min(part, largest), self.memory, attempt.scope),
                attempt.scope,
            )
            connections = self._settings.connections_per_archive
            run = Run(
                attempt.task,
                archive,
                self._limits,
                uploader,
                attempt.scope,
                attempt.timings,
                part,
                deque(pieces(plan.wanted, self._settings.merge_gap_bytes, connections)),
                attempt.progressed,
                attempt.checkpoints,
            )
            work_through(run, Lanes(self._helpers, self.memory, connections))
            return run

    def _publish(
        self,
        attempt: "_Attempt",
        archive: ArchiveBytes,
        directory: Directory,
        plan: Plan,
        run: Run | None,
    ) -> Manifest:
        task = attempt.task
        manifest = Manifest(
            task.export_job_id,
            task.file_id,
            task.file_name,
            task.task_id,
            task.correlation_id,
            ArchiveIdentity.of(archive.identity, len(directory)),
            count_outcomes(plan.results),
            attempt.meter.total,
            plan.bytes_present + (run.bytes_resumed if run else 0),
            run.bytes_uploaded if run else 0,
            attempt.timings.report(),
        )
        keys = ManifestKeys.of(self._settings.manifest_prefix, task)
        # The lines first: whoever sees the manifest finds them complete.
        self._publisher.publish(keys.entries, lambda: entry_lines(plan.results), JSON_LINES, attempt.fence)
        self._publisher.publish(
            keys.manifest, lambda: [manifest.to_json()], "application/json", attempt.fence
        )
        return manifest


def _grant_bytes(part: int) -> int:
    """What an archive needs whose parts are this long: one being filled, one in flight, and a block being
    read.
    """
    return 2 * max(part, BLOCK_RAW_BYTES + BLOCK_OUTPUT_BYTES) + BLOCK_RAW_BYTES
