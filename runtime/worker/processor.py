"""One archive from its URL to its manifest: open, plan, fetch, verify, upload.

Knows nothing of queues and leases: a service wraps it, and a benchmark calls it as it is.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from typing import Protocol

from runtime.shared import tracing
from runtime.shared.contracts import DownloadTask, ParkReason
from runtime.shared.export_api import FileRecord
from runtime.shared.scope import CancellationLike, Scope, scope_of
from runtime.shared.sizes import MIB
from runtime.worker.archive import ArchiveRejected, Directory, Limits, Workspace, read_directory
from runtime.worker.archive.decoders import can_resume
from runtime.worker.bounds.budget import ByteBudget
from runtime.worker.bounds.traffic import Traffic
from runtime.worker.bounds.window import Window
from runtime.worker.clients import Clients
from runtime.worker.fetch.archive import ArchiveBytes, open_archive
from runtime.worker.fetch.errors import (
    ArchiveChanged,
    BytesDiffer,
    DownloadFailed,
    NoRanges,
    NotTheArchive,
    SplitOutdated,
)
from runtime.worker.fetch.hosts import DownloadHosts
from runtime.worker.fetch.locator import Locator
from runtime.worker.fetch.meter import ByteMeter
from runtime.worker.fetch.patience import Connector
from runtime.worker.fetch.recorded import RecordedReads
from runtime.worker.fetch.spool import Scratch
from runtime.worker.fetch.transport import Transport
from runtime.worker.manifest.manifest import (
    JSON_LINES,
    ArchiveIdentity,
    Manifest,
    ManifestKeys,
    count_outcomes,
    digest_of_present,
    entry_lines,
)
from runtime.worker.manifest.publish import Fence, Publisher
from runtime.worker.plan.parts import split_ranges
from runtime.worker.plan.planner import PLANNING_BYTES, ArchivePlan, Planner
from runtime.worker.plan.scratch_workspace import scratch_workspace
from runtime.worker.plan.spans import pieces
from runtime.worker.settings import WorkerSettings
from runtime.worker.timings import Timings
from runtime.worker.transfer.checkpoints import Checkpoints
from runtime.worker.transfer.doubt import in_doubt
from runtime.worker.transfer.lanes import Lanes, work_through
from runtime.worker.transfer.memory import memory_need
from runtime.worker.transfer.multipart import Uploader
from runtime.worker.transfer.small_entries import is_small
from runtime.worker.transfer.transfer import Transfer

_log = logging.getLogger(__name__)

CHEAP_BYTES = 128 * MIB
"""What may be fetched again after an interruption before the worker is protected from one."""
_RESTARTS = 3
_CHANGES_BEFORE_SPOOLING = 3

# An error page or a body that was cut looks like these; what contradicts itself in full will stay so.
_MAY_COME_RIGHT = frozenset({ParkReason.NOT_A_ZIP, ParkReason.TRUNCATED_ARCHIVE})


class ExportApiAccess(Protocol):
    """The part of the Export API that a download needs."""

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


@dataclass(frozen=True, kw_only=True)
class _Attempt:
    """One try at an archive; the meter and the timings go on from the try before."""

    task: DownloadTask
    cancellation: CancellationLike
    protected: ExitStack
    scope: Scope
    workspace: Workspace
    meter: ByteMeter
    timings: Timings
    advanced: Callable[[], None]
    fence: Fence
    checkpoints: Checkpoints


class _Growth:
    """The growth since now of a meter that may have counted before."""

    def __init__(self, meter: ByteMeter) -> None:
        self._meter = meter
        self._before = meter.total

    @property
    def total(self) -> int:
        return self._meter.total - self._before


def _repeated_bytes(plan: ArchivePlan, archive: ArchiveBytes) -> int:
    """How much an interruption would have fetched again at most, in bytes.

    That is the longest entry that is not resumed inside.
    """
    if plan.largest <= CHEAP_BYTES:
        return 0
    stays_the_same = bool(archive.identity.etag)
    return max(
        (
            wanted.stop - wanted.start
            for wanted in plan.wanted
            if not (stays_the_same and can_resume(wanted.entry))
        ),
        default=0,
    )


def _nothing() -> None:
    """No lease to check, nobody to tell."""


@dataclass(frozen=True, kw_only=True)
class ArchiveProcessor:
    """Thread-safe; one per process, made by `wire_processor`. Budgets and threads are its own."""

    settings: WorkerSettings
    clients: Clients
    api: ExportApiAccess
    memory: ByteBudget
    scratch: Scratch
    transport: Transport
    hosts: DownloadHosts
    limits: Limits
    planner: Planner
    publisher: Publisher
    helpers: ThreadPoolExecutor
    idle_helpers: threading.Semaphore
    uploads: ThreadPoolExecutor
    protect: Callable[[object], AbstractContextManager[None]]
    """Around work (named by its cancellation) that could not be handed over cheaply."""
    traffic: Traffic

    def process(
        self,
        task: DownloadTask,
        cancellation: CancellationLike,
        *,
        progressed: Callable[[], None] = _nothing,
        advanced: Callable[[], None] = _nothing,
        fence: Fence = _nothing,
        checkpoints: Checkpoints | None = None,
        may_split: bool = False,
    ) -> Manifest | TooLarge:
        """Bring the archive's (or part's) matching entries into S3 and publish its manifest.

        `progressed` hears of bytes that move, `advanced` of objects that are there. With `may_split`, an
        archive with more than SPLIT_BYTES still to fetch is answered with TooLarge instead. Raises
        ArchiveRejected (park), ForbiddenDownload (park), DownloadFailed, NoScratchSpace, AwsError,
        AwsUnreachable, boto's errors (retry), NotTheArchive (retry, for a while), SplitOutdated (of a part),
        LeaseLost, Cancelled.
        """
        meter, timings = ByteMeter(progressed), Timings()
        kept = checkpoints or Checkpoints()
        ranges, anew, changes = True, False, 0
        unsteady: Exception | None = None
        for _ in range(_RESTARTS + 1):
            with (
                ExitStack() as protected,
                self.traffic.of(_Growth(meter)),
                scope_of(cancellation) as scope,
                scratch_workspace(self.scratch) as workspace,
            ):
                attempt = _Attempt(
                    task=task,
                    cancellation=cancellation,
                    protected=protected,
                    scope=scope,
                    workspace=workspace,
                    meter=meter,
                    timings=timings,
                    advanced=advanced,
                    fence=fence,
                    checkpoints=kept,
                )
                try:
                    return self._attempt(attempt, ranges=ranges, anew=anew, may_split=may_split)
                except NoRanges as error:
                    _log.info("Falling back to spooling: %s", error)
                    ranges = False
                except BytesDiffer as error:
                    _log.warning("Starting the archive over: %s", error)
                    anew, unsteady = True, error
                except SplitOutdated:
                    raise
                except ArchiveChanged as error:
                    _log.warning("Starting the archive over: %s", error)
                    unsteady, changes = error, changes + 1
                    # Where each node of the server has validators of its own, one answer is of one node.
                    ranges = ranges and changes < _CHANGES_BEFORE_SPOOLING
        raise DownloadFailed(
            f"the archive does not stay the same while it is read: {unsteady}", of_host=False
        )

    def close(self) -> None:
        """Let the shared threads end."""
        self.helpers.shutdown(wait=False, cancel_futures=True)
        self.uploads.shutdown(wait=False, cancel_futures=True)

    def _attempt(
        self, attempt: "_Attempt", *, ranges: bool, anew: bool, may_split: bool
    ) -> Manifest | TooLarge:
        task, scope, timings = attempt.task, attempt.scope, attempt.timings
        locator = Locator(
            self.settings.export_api_base_url + "/",
            task.download_url,
            lambda: self.api.get_file(task.export_job_id, task.file_id).download_url,
        )
        connector = Connector(
            transport=self.transport,
            locator=locator,
            meter=attempt.meter,
            scope=scope,
            stall_min_bytes_per_s=self.settings.stall_min_bytes_per_s,
            stall_window_s=self.settings.stall_window_s,
        )

        def protect() -> None:
            # What is spooled would have to be fetched again, all of it.
            attempt.protected.enter_context(self.protect(attempt.cancellation))

        with self.hosts.call(locator.url, _Growth(attempt.meter)) as host_is_well:
            with tracing.span("open", ranges=ranges), timings.stage("open"):
                archive = open_archive(connector, self.scratch, ranges=ranges, anew=anew, on_spool=protect)
            host_is_well()
            try:
                reads = RecordedReads(archive)
                # Given back before the transfer's is asked for: who holds a grant never waits for another.
                with self.memory.acquire(PLANNING_BYTES, scope):
                    with tracing.span("open", bytes=archive.size) as opening, timings.stage("open"):
                        directory = self._directory(attempt, archive, reads)
                        opening.set(entries=len(directory))
                    with tracing.span("plan") as planning, timings.stage("plan"):
                        plan = self._plan(attempt, directory)
                        planning.set(wanted=len(plan.wanted), bytes=plan.bytes_to_fetch)
                if may_split and plan.bytes_to_fetch > self.settings.split_bytes:
                    cut = split_ranges(plan, len(directory), self.settings.split_bytes)
                    if len(cut) > 1:
                        return TooLarge(cut)
                transfer = self._fetch(attempt, archive, plan)
                if in_doubt(plan, archive, directory):
                    reads.confirm(directory.offset)
            finally:
                archive.close()
        return self._publish(attempt, archive, directory, plan, transfer)

    def _plan(self, attempt: "_Attempt", directory: Directory) -> ArchivePlan:
        part = attempt.task.part
        span = (part.first, part.last) if part is not None else None
        if span is not None and span[1] > len(directory):
            raise SplitOutdated(f"it has {len(directory)} entries, fewer than when it was split")
        return self.planner.plan(attempt.task.export_job_id, directory, attempt.scope, span)

    def _directory(self, attempt: _Attempt, archive: ArchiveBytes, reads: RecordedReads) -> Directory:
        """Refused only for the same bytes twice; what may come right later is not refused at all."""
        try:
            return read_directory(reads, self.limits, tail=archive.tail, workspace=attempt.workspace)
        except ArchiveRejected as error:
            reads.confirm()
            announced = attempt.task.size
            cut = announced is not None and archive.size < announced
            if cut or error.reason in _MAY_COME_RIGHT:
                listed = "" if announced is None else f"; the listing says {announced} bytes"
                raise NotTheArchive(
                    f"{error.text}{listed}",
                    reason=error.reason,
                    within_s=self.settings.not_the_archive_max_wait_s,
                ) from error
            raise

    def _fetch(self, attempt: "_Attempt", archive: ArchiveBytes, plan: ArchivePlan) -> Transfer | None:
        if not plan.wanted:
            return None
        need = memory_need(small=any(map(is_small, plan.wanted)), results=len(plan.results))
        costly = _repeated_bytes(plan, archive) > CHEAP_BYTES
        with (
            self.memory.acquire(need.total, attempt.scope),
            self.protect(attempt.cancellation) if costly else nullcontext(),
        ):
            uploader = Uploader(
                self.clients.objects,
                self.uploads,
                Window(need.lane, self.memory, attempt.scope),
                attempt.scope,
            )
            connections = self.settings.connections_per_archive
            transfer = Transfer(
                task=attempt.task,
                archive=archive,
                limits=self.limits,
                uploader=uploader,
                scope=attempt.scope,
                timings=attempt.timings,
                memory=self.memory,
                pieces=pieces(plan.wanted, self.settings.merge_gap_bytes, connections),
                advanced=attempt.advanced,
                checkpoints=attempt.checkpoints,
            )
            lanes = Lanes(
                helpers=self.helpers,
                idle_helpers=self.idle_helpers,
                memory=self.memory,
                connections=connections,
                lane_bytes=need.lane,
            )
            with tracing.span("upload") as uploading:
                work_through(transfer, lanes)
                uploading.set(objects=transfer.objects_uploaded, bytes=transfer.bytes_uploaded)
            return transfer

    def _publish(
        self,
        attempt: "_Attempt",
        archive: ArchiveBytes,
        directory: Directory,
        plan: ArchivePlan,
        transfer: Transfer | None,
    ) -> Manifest:
        task = attempt.task
        manifest = Manifest(
            export_job_id=task.export_job_id,
            file_id=task.file_id,
            file_name=task.file_name,
            task_id=task.task_id,
            correlation_id=task.correlation_id,
            archive=ArchiveIdentity.of(archive.identity, len(directory)),
            outcomes=count_outcomes(plan.results.outcomes()),
            paths_digest=digest_of_present(plan.results.names_in_s3()),
            bytes_fetched=attempt.meter.total,
            bytes_saved=plan.bytes_present + (transfer.bytes_resumed if transfer else 0),
            bytes_uploaded=transfer.bytes_uploaded if transfer else 0,
            timings=attempt.timings.report(),
            notes=directory.notes,
        )
        keys = ManifestKeys.of(self.settings.manifest_prefix, task)
        with tracing.span("publish", entries=len(plan.results), rejected=manifest.rejected):
            # The lines first: whoever sees the manifest finds them complete.
            self.publisher.publish(keys.entries, lambda: entry_lines(plan.results), JSON_LINES, attempt.fence)
            self.publisher.publish(
                keys.manifest, lambda: [manifest.to_json()], "application/json", attempt.fence
            )
        return manifest
