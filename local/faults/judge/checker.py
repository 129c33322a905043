"""The independent judge: a pure function of what was expected and what is there.

It knows the documented contracts (object keys, manifests, the ledger's item keys and statuses, the events)
and nothing of the code that fulfils them. `observe.py` reads what is there; nothing here imports `runtime`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from local.faults.judge.counted import missing_when_announced
from local.faults.judge.judgement import Judgement
from local.faults.judge.objects import check_objects
from local.faults.judge.parking import names_in, reason_of

_ENDED = ("completed", "incomplete")
# What only processes that end decide, not what they work on; an operator gives it another try.
_BY_ACCIDENT = "crash-loop"
_MALFORMED = "malformed-message"


def check(expected: Mapping[str, Any], seen: Mapping[str, Any]) -> Judgement:
    """`expected` is `Expectations.to_plain()`, `seen` is `observe.Observation.to_plain()`."""
    judgement = Judgement(messages_sent=len(expected["messages"]))
    check_objects(expected, seen, judgement)
    _check_tasks(expected, seen, judgement)
    _check_jobs(expected, seen, judgement)
    _check_queues(expected, seen, judgement)
    judgement.objects_written_again = sum(max(0, count - 1) for count in seen["object_writes"].values())
    return judgement


# -- the ledger and the events ------------------------------------------------------------------------------


def _check_tasks(expected: Mapping[str, Any], seen: Mapping[str, Any], judgement: Judgement) -> None:
    tasks = {
        f"{item['export_job_id']}/{item.get('file_id')}": item
        for item in seen["ledger"]
        if _is_task(item["item"])
    }
    finished: Counter[tuple[str, str, int]] = Counter()
    for change in seen["transitions"]:
        if _is_task(change["item"]) and change["to"].get("status") == "done" != change["from"].get("status"):
            finished[change["export_job_id"], change["item"], _run(change["to"])] += 1
    for (job, item, run), count in finished.items():
        if count > 1:
            judgement.add("tasks_completed_twice", f"{item} of {job} became done {count} times in run {run}")
    for file, ending in expected["files"].items():
        status = tasks.get(file, {}).get("status", "unknown")
        if status != ("done" if ending == "done" else "parked"):
            judgement.add("unaccounted", f"the task of {file} is {status} in the ledger; expected {ending}")
    for file in sorted(set(tasks) - set(expected["files"])):
        judgement.add("unaccounted", f"the ledger has a task of {file}, which nobody listed")
    for change in seen["transitions"]:
        if _is_task(change["item"]) and change["to"].get("status") == "parked":
            file = f"{change['export_job_id']}/{change['to'].get('file_id')}"
            _check_parking(file, change["to"], _may_park(expected, file), judgement)


def _may_park(expected: Mapping[str, Any], file: str) -> set[str]:
    return {expected["files"].get(file, ""), expected.get("healed", {}).get(file, "")}


def _check_parking(what: str, item: Mapping[str, Any], may: set[str], judgement: Judgement) -> None:
    """Outages cost time: nothing is ever parked for one, even if an operator would have brought it back."""
    reason = str(item.get("reason", ""))
    if reason not in may | {_BY_ACCIDENT}:
        judgement.add("unaccounted", f"{what} was parked for {reason!r} on the way: {item.get('error')}")


def _is_task(item: str) -> bool:
    return item.startswith("TASK#") and "#PART#" not in item


def _run(item: Mapping[str, Any]) -> int:
    """A job that is sent again after its end begins another run, and its tasks are opened again."""
    return int(item.get("run", 1))


def _check_jobs(expected: Mapping[str, Any], seen: Mapping[str, Any], judgement: Judgement) -> None:
    jobs = {item["export_job_id"]: item for item in seen["ledger"] if item["item"] == "JOB"}
    announced = _events_by_job(seen)
    _check_announced_once(seen, announced, judgement)
    for job, reason in expected["jobs"].items():
        files = {file: end for file, end in expected["files"].items() if file.partition("/")[0] == job}
        failed = reason is not None or any(end != "done" for end in files.values())
        missing = expected.get("missing", {}).get(job, ())
        ending = "failed" if failed else "incomplete" if missing else "completed"
        item = jobs.get(job, {})
        status = item.get("status", "unknown")
        gone = [
            key
            for key, want in expected["objects"].items()
            if want["job"] == job and key not in seen["objects"]
        ]
        if status == "completed" and (missing or gone):
            judgement.add("silently_incomplete", f"{job} is called complete without {[*missing, *gone][:4]}")
        if status != ending:
            judgement.add("unaccounted", f"{job} is {status} in the ledger; expected {ending}")
            continue
        if not announced[job, ending]:
            judgement.add("unaccounted", f"{job} is {ending} and no event says so")
        missing = missing_when_announced(job, expected, seen)
        told = _last_told(seen, job, ending)
        if reason is None and told.get("missing", len(missing)) != len(missing):
            judgement.add("unaccounted", f"the event of {job} says that {told['missing']} files are missing")
        counts = {"tasks_total": len(files), "tasks_done": sum(end == "done" for end in files.values())}
        if "missing" in expected:
            counts["missing"] = len(missing)
        wrong = {name: item.get(name, 0) for name, count in counts.items() if item.get(name, 0) != count}
        if wrong and reason is None:
            judgement.add("unaccounted", f"{job} counts {wrong}; expected {counts}")
        judgement.jobs[ending] = judgement.jobs.get(ending, 0) + 1
    for change in seen["transitions"]:
        # A task that is parked makes its job fail without a reason of the job's own.
        if change["item"] == "JOB" and change["to"].get("status") == "failed" and "reason" in change["to"]:
            job = change["export_job_id"]
            _check_parking(job, change["to"], {expected["jobs"].get(job) or ""}, judgement)


def _last_told(seen: Mapping[str, Any], job: str, ending: str) -> Mapping[str, Any]:
    """The event of the job's last run."""
    details = [
        event["detail"]
        for event in seen["events"]
        if event["type"] == f"Export Job {ending.capitalize()}" and event["detail"]["export_job_id"] == job
    ]
    return max(details, key=_run, default={})


def _events_by_job(seen: Mapping[str, Any]) -> dict[tuple[str, str], Counter[str]]:
    """(job, completed, incomplete or failed) → event id → how often it was sent."""
    announced: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for event in seen["events"]:
        detail, type_ = event["detail"], event["type"]
        if type_ in ("Export Job Completed", "Export Job Incomplete", "Export Job Failed"):
            announced[detail["export_job_id"], type_.rpartition(" ")[2].lower()][detail["event_id"]] += 1
    return announced


def _check_announced_once(
    seen: Mapping[str, Any], announced: Mapping[tuple[str, str], Counter[str]], judgement: Judgement
) -> None:
    ends: dict[tuple[str, int], set[str]] = defaultdict(set)
    for event in seen["events"]:
        if event["type"] in ("Export Job Completed", "Export Job Incomplete"):
            detail = event["detail"]
            ends[detail["export_job_id"], _run(detail)].add(detail["event_id"])
    twice = {
        f"{job} in run {run}": f"said with {len(ids)} event ids"
        for (job, run), ids in ends.items()
        if len(ids) > 1
    }
    ended: Counter[tuple[str, int]] = Counter()
    for change in seen["transitions"]:
        status = change["to"].get("status")
        if change["item"] == "JOB" and status in _ENDED and status != change["from"].get("status"):
            ended[change["export_job_id"], _run(change["to"])] += 1
    twice |= {
        f"{job} in run {run}": f"became completed {count} times"
        for (job, run), count in ended.items()
        if count > 1
    }
    for job, how in twice.items():
        judgement.add("jobs_completed_twice", f"{job} {how}")
    # The same event with the same id after a cut connection is what at-least-once means; listeners drop it.
    judgement.events_repeated = sum(count - 1 for ids in announced.values() for count in ids.values())


# -- the queues ---------------------------------------------------------------------------------------------


def _check_queues(expected: Mapping[str, Any], seen: Mapping[str, Any], judgement: Judgement) -> None:
    for queue, count in seen["left_on_queues"].items():
        for _ in range(count):
            judgement.add("unaccounted", f"a message is still on {queue}")
    parked = list(_parkings(seen))
    judgement.parked = dict(sorted(Counter(reason for _, _, reason in parked).items()))
    refused = {name for message in expected["messages"] for name in message.get("refused", ())}
    malformed = {message["body"] for message in expected["messages"] if _is_malformed(message)}
    found: set[str] = set()
    reasons: dict[tuple[str, str], set[str]] = defaultdict(set)
    for queue, body, reason in parked:
        if not reason:
            judgement.add("unaccounted", f"a message is on the DLQ of {queue} without a reason: {body[:80]}")
        if body in malformed and reason == _MALFORMED:
            found.add(body)
            continue
        for name in names_in(queue, body):
            reasons[queue, name].add(reason)
    for body in sorted(malformed - found):
        judgement.add("unaccounted", f"a malformed message is gone: {body[:80]!r}")
    wanted = {("export-jobs", job): {reason} - {None} for job, reason in expected["jobs"].items()}
    wanted |= {("export-jobs", name): {_MALFORMED} for name in refused}
    wanted |= {("download-tasks", file): {ending} - {"done"} for file, ending in expected["files"].items()}
    healed = {("download-tasks", file): {reason} for file, reason in expected.get("healed", {}).items()}
    for (queue, name), should in wanted.items():
        have = reasons.pop((queue, name), set())
        # What was mended is done: that its first message is still there, or was taken along, proves nothing.
        if have - healed.get((queue, name), set()) != should:
            judgement.add(
                "unaccounted",
                f"{name} is on the DLQ of {queue} for {sorted(have)}; expected {sorted(should)}",
            )
    for (queue, name), have in reasons.items():
        judgement.add("unaccounted", f"{name} is on the DLQ of {queue} for {sorted(have)}; nobody sent it")


def _is_malformed(message: Mapping[str, Any]) -> bool:
    return not message["jobs"] and not message.get("refused")


def _parkings(seen: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(queue, body, reason) of each message on a DLQ."""
    items = {(item["export_job_id"], item["item"]): item for item in seen["ledger"]}
    for queue, messages in seen["parked"].items():
        for message in messages:
            body = message["body"]
            yield queue, body, reason_of(body, message["attributes"], lambda *key: items.get(key, {}))
