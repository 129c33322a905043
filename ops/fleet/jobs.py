"""Jobs as the ledger has them: one by id, with its archives; many by state through the index.

Nothing here scans the table. Counting and searching stop at a bound and say so.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ops.fleet.documents import (
    ENDED,
    STATES,
    Archive,
    Archives,
    Bytes,
    Failing,
    Job,
    JobList,
    StateCount,
    Trouble,
    moment,
)
from ops.fleet.environment import Fleet, at_once
from ops.fleet.refusals import NotFound
from runtime.shared.contracts import task_id_for
from runtime.shared.ledger.jobs import JOB
from runtime.shared.ledger.types import REJECTED
from runtime.shared.ledger.values import plain

INDEX = "jobs-by-status"
COUNT_BOUND = 5_000
SEARCH_BOUND = 50_000
_BATCH = 100
_OLDEST, _LOOKED_AT = 10, 200
Item = Mapping[str, Any]


def find_job(fleet: Fleet, export_job_id: str) -> Job:
    """Raises NotFound."""
    return job_of(_require(fleet, export_job_id))


def find_with_archives(fleet: Fleet, export_job_id: str) -> tuple[Job, list[Archive]]:
    """The job and its archives, with one query. Raises NotFound."""
    items = fleet.ledger.query(export_job_id)
    own = [item for item in items if item["item"] == JOB and "status" in item]
    if not own:
        raise unknown(fleet, export_job_id)
    tasks = [item for item in items if item["item"].startswith("TASK#") and "#PART#" not in item["item"]]
    return job_of(own[0]), [archive_of(item) for item in tasks if _of_run(item, own[0])]


def find_archive(fleet: Fleet, job: str, named: str) -> Archive:
    """By task id or file id. Raises NotFound."""
    for task_id in (named, task_id_for(job, named)):
        if item := fleet.ledger.get(job, f"TASK#{task_id}"):
            return archive_of(item)
    raise NotFound(f"job {job} has no archive {named}; `export-ops status {job} --archives` lists them")


def unknown(fleet: Fleet, export_job_id: str) -> NotFound:
    return NotFound(
        f"the ledger of {fleet.name} has never heard of job {export_job_id}. Its message may still wait: "
        f"`export-ops watch`; or be parked as malformed: `export-ops dlq list`; "
        f"part of an id: `export-ops jobs --find TEXT`"
    )


def latest(
    fleet: Fleet,
    *,
    states: Sequence[str] = STATES,
    since: float = 0.0,
    find: str = "",
    error: str = "",
    limit: int = 50,
) -> JobList:
    """The jobs whose state changed last, in these states, after `since` (epoch seconds).

    `find` is a job's id or part of it, `error` part of the reason or error it ended or fails with.
    """
    if find and (item := fleet.ledger.get(find, JOB)) and "status" in item:
        return JobList(jobs=[job_of(item)], complete=True)
    rows: list[tuple[float, str]] = []
    looked, complete = 0, True

    def of_state(state: str) -> tuple[list[tuple[float, str]], int, bool]:
        bound = SEARCH_BOUND if find else limit
        return _of_state(fleet, state, since, find=find, bound=bound, limit=limit)

    # A search is more work than waiting: at once, its states would hold up whoever shows the page meanwhile.
    for found, seen, ended in map(of_state, states) if find else at_once(of_state, states):
        rows += found
        looked += seen
        complete = complete and ended
    rows.sort(reverse=True)
    complete = complete and len(rows) <= limit
    # What it failed with is on the item alone, not in the index: there a match costs a read for each job.
    ids = [job for _, job in (rows if error else rows[:limit])]
    jobs = [job_of(item) for item in _items(fleet, ids)]
    if error:
        jobs = [job for job in jobs if error.lower() in _errors(job).lower()]
    note = "" if complete else f"the latest {looked:,} were looked at" if find else "there are more"
    return JobList(jobs=jobs, complete=complete, note=note)


def failing(fleet: Fleet) -> list[Failing]:
    """The failures that are tried again, of the few jobs that have been longest in each open state."""

    def oldest(state: str) -> list[str]:
        first = next(_pages(fleet, state, 0.0, {"Limit": _OLDEST, "ScanIndexForward": True}))
        return [item["export_job_id"]["S"] for item in first["Items"]]

    open_jobs = [state for state in STATES if state not in ENDED]
    ids = [job for jobs in at_once(oldest, open_jobs) for job in jobs]
    found = [
        Failing(export_job_id=job.export_job_id, file_id="", trouble=job.failing)
        for job in map(job_of, _items(fleet, ids))
        if job.failing is not None
    ]
    for archives in at_once(lambda job: _failing_archives(fleet, job), ids):
        found += archives
    return found


def _failing_archives(fleet: Fleet, job: str) -> list[Failing]:
    answer = fleet.client("dynamodb").query(
        TableName=fleet.output("LedgerTableName"),
        KeyConditionExpression="export_job_id = :job AND begins_with(#item, :task)",
        FilterExpression="attribute_exists(failing_since)",
        ExpressionAttributeNames={"#item": "item"},
        ExpressionAttributeValues={":job": {"S": job}, ":task": {"S": "TASK#"}},
        Limit=_LOOKED_AT,
    )
    found = [archive_of(item) for item in map(plain, answer["Items"]) if "#PART#" not in item["item"]]
    return [
        Failing(export_job_id=job, file_id=one.file_id or one.task_id, trouble=one.failing)
        for one in found
        if one.failing is not None and one.state not in ("done", "parked")
    ]


def count_by_state(fleet: Fleet, *, since: float = 0.0, bound: int = COUNT_BOUND) -> list[StateCount]:
    """How many jobs are in each state since then; at most `bound` of each are counted."""
    return at_once(lambda state: _count(fleet, state, since, bound), STATES)


def _count(fleet: Fleet, state: str, since: float, bound: int) -> StateCount:
    total = 0
    for answer in _pages(fleet, state, since, {"Select": "COUNT", "Limit": bound}):
        total += answer["Count"]
        if total >= bound:
            return StateCount(state=state, jobs=total, exact="LastEvaluatedKey" not in answer)
    return StateCount(state=state, jobs=total)


def _of_state(
    fleet: Fleet, state: str, since: float, *, find: str, bound: int, limit: int
) -> tuple[list[tuple[float, str]], int, bool]:
    """(status_since, id) of at most `limit` jobs, how many were looked at, and whether those were all."""
    rows: list[tuple[float, str]] = []
    looked = 0
    more: dict[str, Any] = {} if find else {"Limit": limit}
    for answer in _pages(fleet, state, since, more):
        looked += len(answer["Items"])
        for found in answer["Items"]:
            job = found["export_job_id"]["S"]
            # Compared here: a filter expression would read, and be billed for, exactly as much.
            if find in job:
                rows.append((float(found["status_since"]["N"]), job))
        if len(rows) >= limit or looked >= bound:
            return rows[:limit], looked, "LastEvaluatedKey" not in answer and len(rows) <= limit
    return rows, looked, True


def _pages(fleet: Fleet, state: str, since: float, more: Mapping[str, Any]) -> Iterator[Any]:
    query: dict[str, Any] = {
        "TableName": fleet.output("LedgerTableName"),
        "IndexName": INDEX,
        "KeyConditionExpression": "job_status = :state AND status_since >= :since",
        "ExpressionAttributeValues": {":state": {"S": state}, ":since": {"N": f"{since:.3f}"}},
        "ScanIndexForward": False,
        **more,
    }
    while True:
        answer = fleet.client("dynamodb").query(**query)
        yield answer
        if "LastEvaluatedKey" not in answer:
            return
        query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _items(fleet: Fleet, job_ids: Sequence[str]) -> list[Item]:
    """The jobs' own items, in the order asked for; one that has expired since is left out."""
    table = fleet.output("LedgerTableName")
    found: dict[str, Item] = {}
    for start in range(0, len(job_ids), _BATCH):
        keys = [{"export_job_id": {"S": job}, "item": {"S": JOB}} for job in job_ids[start : start + _BATCH]]
        request: Any = {table: {"Keys": keys}}
        while request:
            answer = fleet.client("dynamodb").batch_get_item(RequestItems=request)
            found |= {item["export_job_id"]: item for item in map(plain, answer["Responses"].get(table, ()))}
            request = answer.get("UnprocessedKeys")
            if request:
                time.sleep(0.1)  # throttled: DynamoDB asks for a pause before the rest
    return [found[job] for job in job_ids if job in found]


def _require(fleet: Fleet, export_job_id: str) -> Item:
    item = fleet.ledger.get(export_job_id, JOB)
    if item is None or "status" not in item:
        raise unknown(fleet, export_job_id)
    return item


def _of_run(task: Item, job: Item) -> bool:
    # A task that the present run has not listed (yet) is of an earlier one; its counts are not the job's.
    return int(task.get("run", 1)) == int(job.get("run", 1))


def _errors(job: Job) -> str:
    failing = job.failing or job.waiting
    told = [job.reason, job.error, *job.rejections, *job.rejected]
    return "\n".join([*told, *((failing.reason, failing.error) if failing else ())])


def job_of(item: Item) -> Job:
    """A job's item as a document."""
    return Job(
        export_job_id=item["export_job_id"],
        state=str(item["status"]),
        run=int(item.get("run", 1)),
        correlation_id=str(item.get("correlation_id", "")),
        listed=bool(item.get("listing_complete", False)),
        announced=str(item.get("announced", "")),
        archives=Archives(
            total=int(item.get("tasks_total", 0)),
            done=int(item.get("tasks_done", 0)),
            parked=int(item.get("tasks_parked", 0)),
        ),
        entries=int(item.get("entries", 0)),
        in_s3=int(item.get("in_s3", 0)),
        rejected=_rejected(item),
        bytes=_bytes(item),
        expected=item.get("expected"),
        present=item.get("present"),
        missing=item.get("missing"),
        missing_key=str(item.get("missing_key", "")),
        reason=str(item.get("reason", "")),
        error=str(item.get("error", "")),
        failing=_failing(item),
        waiting=_waiting(item),
        records_rejected=int(item.get("records_rejected", 0)),
        rejections=[str(text) for text in item.get("rejections", ())],
        holder=str(item.get("owner", "")),
        lease_until=moment(item.get("lease_until") or None),
        created_at=moment(item.get("created_at")),
        run_started_at=moment(item.get("run_started_at", item.get("created_at"))),
        state_since=moment(item.get("status_since")),
        updated_at=moment(item.get("updated_at")),
        finished_at=moment(item.get("finished_at")),
    )


def archive_of(item: Item) -> Archive:
    """A task's item as a document."""
    summary = item.get("summary", {})
    parts = item.get("split_parts")
    return Archive(
        task_id=item["item"].removeprefix("TASK#"),
        file_id=str(item.get("file_id", "")),
        state=str(item.get("status", "failing")),
        tries=int(item.get("generation", 0)),
        holder=str(item.get("owner", "")),
        lease_until=moment(item.get("lease_until") or None),
        entries=int(summary.get("entries", 0)),
        in_s3=int(summary.get("in_s3", 0)),
        rejected=_rejected(summary),
        bytes=_bytes(summary),
        parts_done=None if parts is None else int(item.get("parts_done", 0)),
        parts=None if parts is None else len(parts),
        reason=str(item.get("reason", "")) if item.get("status") == "parked" else "",
        error=str(item.get("error", "")) if item.get("status") == "parked" else "",
        failing=_failing(item),
        created_at=moment(item.get("created_at")),
        updated_at=moment(item.get("updated_at")),
        finished_at=moment(item.get("finished_at")),
    )


def _rejected(item: Item) -> dict[str, int]:
    return {
        name.removeprefix(REJECTED): int(count)
        for name, count in sorted(item.items())
        if name.startswith(REJECTED) and count
    }


def _bytes(item: Item) -> Bytes:
    return Bytes(
        size=int(item.get("size", 0)),
        fetched=int(item.get("bytes_fetched", 0)),
        saved=int(item.get("bytes_saved", 0)),
        uploaded=int(item.get("bytes_uploaded", 0)),
    )


def _failing(item: Item) -> Trouble | None:
    since = moment(item.get("failing_since"))
    if since is None:
        return None
    return Trouble(
        since=since,
        times=int(item.get("failures", 1)),
        reason=str(item.get("failing_reason", "")),
        error=str(item.get("failing_error", "")),
    )


def _waiting(item: Item) -> Trouble | None:
    since = moment(item.get("waiting_since"))
    if since is None:
        return None
    return Trouble(since=since, times=int(item.get("waits", 1)), reason=str(item.get("waiting_reason", "")))
