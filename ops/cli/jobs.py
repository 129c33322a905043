"""Commands about jobs: send, look, explain, verify, heal."""

import csv
import json
import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ops.cli.session import (
    AsJson,
    DryRun,
    Exit,
    facts,
    findings,
    fleet_of,
    moment_of,
    progress,
    say,
    show,
    table,
)
from ops.fleet.advice import of_missing
from ops.fleet.circuits import not_closed
from ops.fleet.diagnosis import of_job
from ops.fleet.documents import STATES, Archive, Bytes, JobStatus, ManifestDocument, Sent
from ops.fleet.history import why as history_of
from ops.fleet.jobs import find_job, find_with_archives, latest
from ops.fleet.manifests import manifest_of, manifests_of, missing_of
from ops.fleet.refusals import Unusable
from ops.fleet.submission import submit as send_jobs
from ops.fleet.verification import verify as verify_job
from ops.fleet.wording import age_of, first_line, size, why_of

JobId = Annotated[str, typer.Argument(metavar="JOB", help="An export job's id.")]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="30m, 6h, 2d ago, or an ISO 8601 time.")]
_SHOWN = 20


class State(StrEnum):
    """A job's states, as the ledger has them."""

    LISTING = "listing"
    WAITING = "waiting"
    PROCESSING = "processing"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    FAILED = "failed"


class Priority(StrEnum):
    """The priorities that a message may ask for."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class Format(StrEnum):
    """How a manifest is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def submit(
    context: typer.Context,
    *,
    jobs: Annotated[
        list[str] | None, typer.Argument(metavar="JOB...", help="Ids; - reads standard input.")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="One id a line.", exists=True, dir_okay=False)] = None,
    correlation_id: Annotated[str | None, typer.Option(help="Default: a new one, which is shown.")] = None,
    priority: Annotated[Priority | None, typer.Option()] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Send export jobs, each in a message of its own, checked first; all or, if any id is none, nothing."""
    ids = [job for job in jobs or () if job != "-"]
    if "-" in (jobs or ()):
        ids += _ids(sys.stdin)
    if file is not None:
        with file.open(encoding="utf-8") as lines:
            ids += _ids(lines)
    sent = send_jobs(
        fleet_of(context),
        ids,
        correlation_id=correlation_id,
        priority=priority.value if priority else None,
        dry_run=dry_run,
    )
    show(sent, as_json, lambda: _sent(sent))


def retry(context: typer.Context, job: JobId, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Send a job that has ended again: what is missing or rejected is tried again, what is there stays."""
    fleet = fleet_of(context)
    found = find_job(fleet, job)
    if not found.announced:
        raise Unusable(
            f"job {job} has not ended ({found.state}): sending it again would change nothing. "
            f"What holds it: `export-ops status {job}`"
        )
    note = f"run {found.run + 1} begins with it; follow it with `export-ops status {job}`"
    sent = send_jobs(fleet, [job], dry_run=dry_run, note=note)
    show(sent, as_json, lambda: _sent(sent))


def status(
    context: typer.Context,
    job: JobId,
    archives: Annotated[
        bool, typer.Option("--archives", help="Every archive, not only those in trouble.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Where a job is: its state, archives, entries, bytes, files, and what stands in its way."""
    fleet = fleet_of(context)
    found, tasks = find_with_archives(fleet, job)
    answer = JobStatus(job=found, archives=tasks, findings=of_job(found, tasks, not_closed(fleet)))
    show(answer, as_json, lambda: _status(answer, archives))


def jobs(
    context: typer.Context,
    *,
    state: Annotated[list[State] | None, typer.Option(help="Repeat it for several; default: all.")] = None,
    since: Since = None,
    find: Annotated[str, typer.Option(metavar="TEXT", help="An id, or part of one.")] = "",
    error: Annotated[str, typer.Option(metavar="TEXT", help="Part of a reason or an error.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    as_json: AsJson = False,
) -> None:
    """The jobs whose state changed last."""
    moment = moment_of(since)
    found = latest(
        fleet_of(context),
        states=[one.value for one in state or ()] or STATES,
        since=moment.timestamp() if moment else 0.0,
        find=find,
        error=error,
        limit=limit,
    )

    def people() -> None:
        table(
            ("job", "state", "since", "archives", "files", "missing", "why"),
            [
                (
                    job.export_job_id,
                    job.state,
                    age_of(job.state_since),
                    f"{job.archives.done}/{job.archives.total}",
                    job.in_s3,
                    job.missing if job.missing is not None else 0,
                    why_of(job),
                )
                for job in found.jobs
            ],
        )
        say(found.note or ("" if found.jobs else "no job matches"))

    show(found, as_json, people)


def missing(
    context: typer.Context,
    job: JobId,
    limit: Annotated[int, typer.Option(min=1)] = 100_000,
    as_json: AsJson = False,
) -> None:
    """The expected files that the job's last count did not find in S3. Exit code 1 if there are any."""
    found = missing_of(fleet_of(context), job, limit=limit)

    def people() -> None:
        if found.missing is None:
            say(f"the job has not been counted yet: `export-ops status {job}`")
            return
        table(("missing", "why", "whose"), [(n, why, of_missing(why)) for why, n in found.by_reason.items()])
        table(("path", "why", "archive"), [(file.path, file.reason, file.file_id) for file in found.files])
        if found.missing:
            say(f"once the cause is mended: export-ops retry {job}")
        else:
            say("nothing is missing")

    show(found, as_json, people)
    if found.missing:
        raise typer.Exit(Exit.NOT_AS_IT_SHOULD_BE)


def manifest(
    context: typer.Context,
    *,
    job: JobId,
    file: Annotated[str, typer.Argument(metavar="FILE", help="An archive's file id.")] = "",
    format_: Annotated[Format, typer.Option("--format")] = Format.TABLE,
    outcome: Annotated[str, typer.Option(help="Only entries with this outcome.")] = "",
    as_json: AsJson = False,
) -> None:
    """The outcome of each archive, or of each entry of one."""
    as_json = as_json or format_ is Format.JSON
    fleet = fleet_of(context)
    if not file:
        whole = manifests_of(fleet, job)
        archives = [_manifest_row(one) for one in whole.manifests]
        heads = ("file", "name", "entries", "bytes fetched", "outcomes", "notes")
        if format_ is Format.CSV:
            _csv(heads, archives)
        else:
            show(whole, as_json, lambda: table(heads, archives))
        return
    one = manifest_of(fleet, job, file)
    chosen = [entry for entry in one.entries or () if outcome in ("", entry["outcome"])]
    one = one.model_copy(update={"entries": chosen})
    columns = ("path", "outcome", "size", "crc32", "sha256", "key", "detail")
    if format_ is Format.CSV:
        _csv(columns, [[entry.get(name, "") for name in columns] for entry in chosen])
        return
    rows = [(e["path"], e["outcome"], e["size"], e.get("detail") or e.get("note", "")) for e in chosen]
    show(one, as_json, lambda: table(("path", "outcome", "size", "detail"), rows))


def why(
    context: typer.Context,
    job: JobId,
    archive: Annotated[str, typer.Argument(metavar="ARCHIVE", help="A file id or task id.")] = "",
    since: Since = None,
    as_json: AsJson = False,
) -> None:
    """The history of a job or archive: what the ledger remembers, and the log lines about it."""
    with progress("reading the logs") as tell:
        found = history_of(fleet_of(context), job, archive, since=moment_of(since), progress=tell)

    def people() -> None:
        table(
            ("when", "from", "who", "what"),
            [(step.at, step.source, step.who, step.what) for step in found.steps],
        )
        findings(found.findings)
        facts([("logs", found.log), ("correlation id", found.correlation_id)])

    show(found, as_json, people)


def verify(context: typer.Context, job: JobId, as_json: AsJson = False) -> None:
    """S3 against the metadata: presence, size, stored checksum; nothing is downloaded.

    Exit code 1 if any file lacks.
    """
    with progress("verifying") as tell:
        found = verify_job(fleet_of(context), job, progress=tell)

    def people() -> None:
        table(
            ("path", "lacks", "detail"),
            [(lack.path, lack.reason, lack.detail) for lack in found.lacks[:_SHOWN]],
        )
        if found.lacking > _SHOWN:
            say(f"and {found.lacking - _SHOWN:,} more (--json shows them)")
        say(
            f"{found.present:,} of {found.expected:,} expected files are in S3 with their size and checksum "
            f"({found.seconds:.1f} s, {found.objects_per_s:,.0f} a second)"
        )
        if found.lacking:
            say(f"export-ops missing {job}; once the cause is mended: export-ops retry {job}")

    show(found, as_json, people)
    if not found.whole:
        raise typer.Exit(Exit.NOT_AS_IT_SHOULD_BE)


def _status(answer: JobStatus, every: bool) -> None:
    job = answer.job
    facts(
        [
            ("job", job.export_job_id),
            (
                "state",
                f"{job.state} for {age_of(job.state_since)}" + (f", run {job.run}" if job.run > 1 else ""),
            ),
            (
                "archives",
                f"{job.archives.done:,} of {job.archives.total:,} done, {job.archives.parked:,} parked"
                + ("" if job.listed else "; the listing goes on"),
            ),
            ("entries", f"{job.entries:,}, {job.in_s3:,} in S3"),
            ("rejected", job.rejected),
            ("bytes", _bytes(job.bytes)),
            ("expected", job.expected),
            ("present", job.present),
            ("missing", job.missing),
            ("correlation id", job.correlation_id),
            ("began", job.run_started_at),
            ("ended", job.finished_at),
        ]
    )
    findings(answer.findings)
    rows = [_archive_row(archive) for archive in answer.archives if every or _in_trouble(archive)]
    table(
        ("archive", "state", "tries", "entries", "in S3", "bytes", "why"), rows[: None if every else _SHOWN]
    )
    if not every and len(rows) > _SHOWN:
        say(f"and {len(rows) - _SHOWN:,} more archives in trouble: --archives")


def _bytes(told: Bytes) -> str:
    parts = {
        "of archives": told.size,
        "fetched": told.fetched,
        "saved": told.saved,
        "uploaded": told.uploaded,
    }
    return ", ".join(f"{size(count)} {what}" for what, count in parts.items())


def _in_trouble(archive: Archive) -> bool:
    return archive.state == "parked" or archive.failing is not None


def _archive_row(archive: Archive) -> tuple[object, ...]:
    trouble = archive.failing
    told = f"{archive.reason}: {first_line(archive.error)}" if archive.reason else ""
    if trouble is not None:
        told = f"{trouble.reason} for {age_of(trouble.since)}: {first_line(trouble.error)}"
    parts = f" {archive.parts_done}/{archive.parts}" if archive.parts else ""
    return (
        archive.file_id,
        archive.state + parts,
        archive.tries,
        archive.entries,
        archive.in_s3,
        size(archive.bytes.size),
        told,
    )


def _sent(sent: Sent) -> None:
    verb = "would send" if sent.dry_run else "sent"
    say(f"{verb} {sent.messages:,} messages, correlation id {sent.correlation_id}")
    if sent.note:
        say(sent.note)


def _ids(lines: Iterable[str]) -> list[str]:
    return [text for line in lines if (text := line.strip())]


def _manifest_row(one: ManifestDocument) -> list[object]:
    told = one.manifest
    return [
        told["file_id"],
        told["file_name"],
        told["archive"]["entries"],
        told["bytes_fetched"],
        json.dumps(told["outcomes"]).strip("{}").replace('"', ""),
        "; ".join(told.get("notes", ())),
    ]


def _csv(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_inert(cell) for cell in row] for row in rows)


def _inert(cell: object) -> object:
    # A spreadsheet takes a cell that begins like this for a formula, and names are the vendor's to choose.
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell
