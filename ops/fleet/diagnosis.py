"""Where a job or the fleet is stuck, or went wrong, in sentences, each with the command that acts on it."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from ops.fleet.advice import of_failing, of_missing, of_parking
from ops.fleet.documents import Archive, Circuit, Failing, Finding, Job, Queue, StateCount, Trouble
from ops.fleet.wording import age_of, command, first_line
from runtime.shared.export_api.auth import SECRET

_MANY_TRIES = 5
_SHOWN_REASONS = 5
_CLOSES = "it closes by itself once a probe succeeds; meanwhile messages wait"
_CREDENTIALS = ". Credentials: put the right value into the secret, or its right name into the settings"
_DENIED = re.compile(r"\b40[13]\b")


def of_job(job: Job, archives: Sequence[Archive], circuits: Sequence[Circuit]) -> list[Finding]:
    """The findings about one job, the gravest first; none for a job that is well."""
    now = datetime.now(UTC)
    return [*_ended_badly(job, archives), *_in_the_way(job, archives, circuits, now)]


def of_fleet(
    states: Sequence[StateCount],
    queues: Sequence[Queue],
    circuits: Sequence[Circuit],
    failing: Sequence[Failing],
) -> list[Finding]:
    """The findings about the whole."""
    found = [circuit_finding(circuit) for circuit in circuits]
    found += _by_reason(failing)
    found += [
        Finding(what=f"{queue.waiting:,} messages are parked on the {queue.name}", do="export-ops dlq list")
        for queue in queues
        if queue.name.endswith("DLQ") and queue.waiting
    ]
    found += [
        Finding(what=f"{_count(state)} jobs are {state.state}", do=command("jobs", "--state", state.state))
        for state in states
        if state.state in ("failed", "incomplete") and state.jobs
    ]
    return found


def _by_reason(failing: Sequence[Failing]) -> Iterator[Finding]:
    """One for each reason: how much of what was looked at fails so, and the one that has for the longest."""
    by_reason: dict[str, list[Failing]] = {}
    for one in failing:
        by_reason.setdefault(one.trouble.reason, []).append(one)
    for alike in by_reason.values():
        longest = min(alike, key=lambda one: one.trouble.since)
        named = (longest.export_job_id, *((longest.file_id,) if longest.file_id else ()))
        what = "archives fail and are tried again" if longest.file_id else "listings fail and are tried again"
        yield Finding(
            what=f"{len(alike)} {what}, one of them for {_told(longest.trouble)}", do=command("why", *named)
        )


def circuit_finding(circuit: Circuit) -> Finding:
    age = age_of(circuit.since)
    if circuit.by_operator:
        scope = circuit.dependency.partition(":")[2]
        return Finding(
            what=f"{scope} has been paused for {age}: {circuit.reason}", do=command("resume", scope)
        )
    return Finding(
        what=f"the circuit of {circuit.dependency} has been {circuit.state} for {age}: {circuit.reason}",
        do=_CLOSES + _CREDENTIALS
        if circuit.dependency == SECRET or _DENIED.search(circuit.reason)
        else _CLOSES,
    )


def _ended_badly(job: Job, archives: Sequence[Archive]) -> Iterator[Finding]:
    retry = command("retry", job.export_job_id)
    if job.reason:
        yield Finding(
            what=f"the job was parked as {job.reason}: {first_line(job.error)} ({of_parking(job.reason)})",
            do=retry,
        )
    parked = Counter(archive.reason for archive in archives if archive.state == "parked")
    for reason, count in parked.most_common(_SHOWN_REASONS):
        yield Finding(
            what=f"{count} of its archives are parked as {reason}: {of_parking(reason)}",
            do=command("dlq", "redrive", "--job", job.export_job_id, "--reason", reason),
        )
    if job.records_rejected:
        told = "; ".join(job.rejections[:2])
        yield Finding(what=f"{job.records_rejected} records of its listing are no files: {told}", do=retry)
    if job.missing:
        yield Finding(
            what=f"{job.missing:,} of {job.expected:,} expected files are not in S3",
            do=command("missing", job.export_job_id),
        )
    for reason, count in job.rejected.items():
        if job.missing and reason != "no-metadata":
            yield Finding(what=f"{count:,} entries were rejected as {reason}: {of_missing(reason)}", do=retry)


def _in_the_way(
    job: Job, archives: Sequence[Archive], circuits: Sequence[Circuit], now: datetime
) -> Iterator[Finding]:
    if job.ended:
        return
    yield from (circuit_finding(circuit) for circuit in circuits)
    yield from _troubles(job, archives)
    if job.state in ("listing", "processing") and _is_past(job.lease_until, now) and not job.listed:
        yield Finding(
            what=f"whoever listed it ({job.holder}) has not reported since {job.lease_until:%H:%M:%S}: "
            "its message comes back by itself",
            do=command("why", job.export_job_id),
        )
    for archive in archives:
        name = f"archive {archive.file_id}"
        why = command("why", job.export_job_id, archive.file_id)
        if archive.state == "claimed" and _is_past(archive.lease_until, now):
            yield Finding(
                what=f"{name}: {archive.holder} has not reported since {archive.lease_until:%H:%M:%S}: "
                "its message comes back by itself",
                do=why,
            )
        elif archive.state in ("claimed", "waiting", "split") and archive.tries >= _MANY_TRIES:
            yield Finding(
                what=f"{name} is {archive.state} after {archive.tries} tries in {age_of(archive.created_at)}",
                do=why,
            )
    waiting = sum(archive.state == "listed" for archive in archives)
    if waiting:
        yield Finding(what=f"{waiting} archives wait to be taken by a worker", do="export-ops watch")
    if job.listed and not job.archives.open:
        yield Finding(
            what="every archive has ended; what arrived is still to be counted", do="export-ops watch"
        )


def _troubles(job: Job, archives: Sequence[Archive]) -> Iterator[Finding]:
    why = command("why", job.export_job_id)
    if job.failing is not None:
        yield Finding(what=f"its listing has been failing for {_told(job.failing)}", do=why)
    if job.waiting is not None:
        yield Finding(what=f"the vendor has not finished the export for {_told(job.waiting)}", do=why)
    for archive in archives:
        if archive.failing is not None:
            yield Finding(
                what=f"archive {archive.file_id} has been failing for {_told(archive.failing)}",
                do=command("why", job.export_job_id, archive.file_id),
            )


def _told(trouble: Trouble) -> str:
    error = f": {first_line(trouble.error)}" if trouble.error else ""
    advice = of_failing(trouble.reason, trouble.error)
    return f"{age_of(trouble.since)}, {trouble.times} times: {trouble.reason}{error}" + (
        f" ({advice})" if advice else ""
    )


def _is_past(lease_until: datetime | None, now: datetime) -> bool:
    return lease_until is not None and lease_until < now


def _count(state: StateCount) -> str:
    return f"{state.jobs:,}" if state.exact else f"at least {state.jobs:,}"
