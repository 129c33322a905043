"""Sending jobs: checked as the service itself would, before anything is put on the queue."""

import json
import uuid
from collections.abc import Sequence

from ops.fleet.documents import Sent
from ops.fleet.environment import Fleet
from ops.fleet.queues import EXPORT_JOBS, names_of, url_of
from ops.fleet.refusals import Unusable
from runtime.shared.contracts import InvalidMessage, Priority, parse_export_jobs
from runtime.shared.sending import Outgoing, send_all

# One message for each job: each is retried, parked and redriven by itself, and fair queues know whose it is.
_FAULTS_SHOWN = 5


def submit(
    fleet: Fleet,
    job_ids: Sequence[str],
    *,
    correlation_id: str | None = None,
    priority: Priority | None = None,
    dry_run: bool = False,
    note: str = "",
) -> Sent:
    """Put one message for each job on `export-jobs`; nothing is sent when any id is none.

    Raises Unusable, NotSent, botocore's errors.
    """
    ids = list(dict.fromkeys(job_ids))
    if not ids:
        raise Unusable("no job ids were given")
    trail = correlation_id or f"ops-{uuid.uuid4()}"
    common = {"correlation_id": trail} | ({"priority": priority} if priority else {})
    bodies = {job: json.dumps({"export_job_ids": [job], **common}) for job in ids}
    faults = [fault for job, body in bodies.items() if (fault := _fault(job, body))]
    if faults:
        more = f"; and {len(faults) - _FAULTS_SHOWN} more" if len(faults) > _FAULTS_SHOWN else ""
        raise Unusable("nothing was sent: " + "; ".join(faults[:_FAULTS_SHOWN]) + more)
    if not dry_run:
        messages = (Outgoing(body, group_id=job) for job, body in bodies.items())
        own = f"{EXPORT_JOBS}-{priority}"
        queue = own if own in names_of(fleet) else EXPORT_JOBS
        send_all(fleet.client("sqs"), url_of(fleet, queue), messages)
    return Sent(export_job_ids=ids, correlation_id=trail, messages=len(ids), dry_run=dry_run, note=note)


def _fault(job: str, body: str) -> str:
    try:
        parsed = parse_export_jobs(body)
    except InvalidMessage as error:
        return f"{job!r}: {error}"
    # What the service would leave out, the producer is told.
    return "; ".join(parsed.ignored)
