"""Why a job or archive is as it is: what the ledger remembers, and what the services logged about it."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from ops.fleet.circuits import not_closed
from ops.fleet.diagnosis import of_job
from ops.fleet.documents import Archive, History, Job, Step, Trouble
from ops.fleet.environment import Fleet
from ops.fleet.jobs import find_archive, find_with_archives
from ops.fleet.logs import Query, lines_of
from ops.fleet.wording import first_line


def why(
    fleet: Fleet,
    export_job_id: str,
    archive: str = "",
    *,
    since: datetime | None = None,
    progress: Callable[[str], None] = lambda _what: None,
) -> History:
    """The history of a job, or of one of its archives by task or file id. Raises NotFound, Declined."""
    job, archives = find_with_archives(fleet, export_job_id)
    if archive:
        archives = [find_archive(fleet, export_job_id, archive)]
    task_id = archives[0].task_id if archive else ""
    query = Query(export_job_id, job.correlation_id, task_id, since or job.run_started_at)
    lines, source = lines_of(fleet, query, progress)
    steps = steps_of(archives) if archive else steps_of(archives, job)
    return History(
        export_job_id=export_job_id,
        task_id=task_id,
        correlation_id=job.correlation_id,
        findings=of_job(job, archives, not_closed(fleet)),
        steps=sorted([*steps, *lines], key=lambda step: step.at),
        log=source,
    )


def steps_of(archives: Sequence[Archive], job: Job | None = None) -> list[Step]:
    """The events that the ledger remembers, the oldest first."""
    steps = [*(() if job is None else _of_job(job)), *(step for one in archives for step in _of_archive(one))]
    return sorted(steps, key=lambda step: step.at)


def _of_job(job: Job) -> Iterator[Step]:
    def step(at: datetime | None, what: str) -> Iterator[Step]:
        if at is not None:
            yield Step(at=at, source="ledger", who="job", what=what)

    yield from step(job.created_at, "first claimed")
    if job.run > 1:
        yield from step(job.run_started_at, f"sent again: run {job.run} began")
    yield from _trouble("job", "its listing fails", job.failing)
    yield from _trouble("job", "the vendor is waited for", job.waiting)
    counts = f"{job.archives.done} of {job.archives.total} archives done, {job.archives.parked} parked"
    yield from step(job.state_since, f"{job.state}: {counts}" + _because(job.reason, job.error))
    if job.expected is not None:
        yield from step(job.finished_at, f"counted: {job.present} of {job.expected} expected files are in S3")


def _of_archive(archive: Archive) -> Iterator[Step]:
    who = f"archive {archive.file_id}"

    def step(at: datetime | None, what: str) -> Iterator[Step]:
        if at is not None:
            yield Step(at=at, source="ledger", who=who, what=what)

    yield from step(archive.created_at, "listed")
    yield from _trouble(who, "it fails", archive.failing)
    if archive.state == "listed":
        return
    held = f", held by {archive.holder} until {archive.lease_until:%H:%M:%S}" if archive.lease_until else ""
    parts = f", {archive.parts_done} of {archive.parts} parts" if archive.parts else ""
    yield from step(
        archive.finished_at or archive.updated_at,
        f"{archive.state} at try {archive.tries}{parts}{held}" + _because(archive.reason, archive.error),
    )


def _trouble(who: str, what: str, trouble: Trouble | None) -> Iterator[Step]:
    if trouble is not None:
        told = f"{what}, {trouble.times} times since" + _because(trouble.reason, trouble.error)
        yield Step(at=trouble.since, source="ledger", who=who, what=told)


def _because(reason: str, error: str) -> str:
    return f" ({reason}: {first_line(error)})" if error else f" ({reason})" if reason else ""
