"""The wiring of a worker process: one archive processor with its budgets, threads and connections."""

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext

from runtime.shared.circuits import Circuits
from runtime.shared.rate import HostPermits
from runtime.worker.archive import Limits
from runtime.worker.bounds.admission import HeadRoom, WorkerLoad
from runtime.worker.bounds.budget import ByteBudget
from runtime.worker.bounds.cpu import ContainerCpu
from runtime.worker.bounds.traffic import Traffic
from runtime.worker.clients import Clients
from runtime.worker.fetch.guard import HostGuard
from runtime.worker.fetch.hosts import DownloadHosts
from runtime.worker.fetch.spool import Scratch
from runtime.worker.fetch.transport import Transport
from runtime.worker.manifest.publish import Publisher
from runtime.worker.plan.metadata import Attributes, MetadataTable
from runtime.worker.plan.planner import Planner
from runtime.worker.processor import ArchiveProcessor, ExportApiAccess, NoApi
from runtime.worker.settings import WorkerSettings
from runtime.worker.transfer.memory import LEAST_GRANT_BYTES

# A thread that waits for the interpreter's lock wakes at this interval to ask for it. With Python's 5 ms
# hundreds of slow downloads spent three quarters of their CPU on that, and every system call gives it up
# anyway. With a longer one the heartbeat would wait behind threads that plan.
_SWITCH_S = 0.02


def wire_processor(
    settings: WorkerSettings,
    clients: Clients,
    api: ExportApiAccess | None = None,
    circuits: Circuits | None = None,
    permits: HostPermits | None = None,
    *,
    protect: Callable[[object], AbstractContextManager[None]] = lambda _work: nullcontext(),
) -> ArchiveProcessor:
    """One per process.

    Without `api`, download URLs are used as they are, without `circuits` at any time, and without `permits`
    over any number of connections.
    """
    sys.setswitchinterval(_SWITCH_S)
    api = api or NoApi()
    transport = _transport(settings, api, permits)
    limits = Limits(
        max_entries=settings.max_entries,
        max_directory_bytes=settings.max_directory_bytes,
        max_entry_bytes=settings.max_entry_bytes,
        max_ratio=settings.max_ratio,
        max_name_bytes=settings.max_name_bytes,
        code_page=settings.name_code_page,
        normal_names_only=settings.normal_names_only,
    )
    return ArchiveProcessor(
        settings=settings,
        clients=clients,
        api=api,
        memory=_memory(settings),
        scratch=Scratch(settings.scratch_dir, settings.scratch_budget_bytes),
        transport=transport,
        hosts=DownloadHosts(circuits, transport),
        limits=limits,
        planner=_planner(settings, clients, limits),
        publisher=Publisher(clients.s3, settings.bucket_name),
        helpers=ThreadPoolExecutor(settings.helper_threads, "fetch"),
        idle_helpers=threading.Semaphore(settings.helper_threads),
        uploads=ThreadPoolExecutor(settings.upload_threads, "upload"),
        protect=protect,
        traffic=Traffic(),
    )


def head_room(settings: WorkerSettings, processor: ArchiveProcessor) -> HeadRoom:
    """The admission of a worker's consumer."""
    cpu, memory, scratch = ContainerCpu(), processor.memory, processor.scratch.budget

    def load() -> WorkerLoad:
        return WorkerLoad(
            cpu_s=cpu.used_s(),
            bytes_fetched=processor.traffic.total,
            memory_tight=memory.tight,
            scratch_tight=scratch.tight,
        )

    return HeadRoom(ceiling=settings.slots, cores=cpu.cores(), measure=load, clock=time.monotonic)


def _memory(settings: WorkerSettings) -> ByteBudget:
    total = settings.memory_budget
    minimum = min(LEAST_GRANT_BYTES, total // (2 * settings.slots))
    return ByteBudget(total, places=settings.slots, minimum=minimum)


def _transport(settings: WorkerSettings, api: ExportApiAccess, permits: HostPermits | None) -> Transport:
    guard = HostGuard(
        settings.allowed_hosts,
        allow_http=settings.download_allow_http,
        allow_private=settings.download_allow_private_addresses,
    )
    return Transport(
        guard,
        api.headers_for,
        timeout_s=settings.stall_window_s,
        max_redirects=settings.download_max_redirects,
        permits=permits,
    )


def metadata_attributes(settings: WorkerSettings) -> Attributes:
    """The metadata table as this environment names it."""
    return Attributes(
        table=settings.metadata_table_name,
        job=settings.metadata_job_attribute,
        path=settings.metadata_path_attribute,
        size=settings.metadata_size_attribute,
        sha256=settings.metadata_sha256_attribute,
        content_type=settings.metadata_content_type_attribute,
        destination=settings.metadata_destination_attribute,
    )


def _planner(settings: WorkerSettings, clients: Clients, limits: Limits) -> Planner:
    return Planner(
        limits=limits,
        metadata=MetadataTable(clients.tables, metadata_attributes(settings)),
        store=clients.objects,
        object_prefix=settings.object_prefix,
        allowed_destinations=settings.allowed_destinations,
    )
