"""The independent judge: a pure function of what was expected and what is there.

It knows the documented contracts (object keys, manifests, the ledger's item keys and statuses, the events)
and nothing of the code that fulfils them. `observe.py` reads what is there; nothing here imports `runtime`.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_IN_S3 = {"uploaded", "already-present"}


@dataclass
class Verdict:
    """What was found; `findings` has a sentence for every bad one."""

    messages_sent: int = 0
    expected: int = 0
    present: int = 0
    wrong: int = 0
    missing: int = 0
    extra: int = 0
    tasks_completed_twice: int = 0
    jobs_completed_twice: int = 0
    unaccounted: int = 0
    events_repeated: int = 0
    parked: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    BAD = ("wrong", "missing", "extra", "tasks_completed_twice", "jobs_completed_twice", "unaccounted")

    @property
    def ok(self) -> bool:
        return not any(getattr(self, name) for name in self.BAD)

    def add(self, count: str, finding: str) -> None:
        setattr(self, count, getattr(self, count) + 1)
        self.findings.append(f"{count}: {finding}")


def check(expected: Mapping[str, Any], seen: Mapping[str, Any]) -> Verdict:
    """`expected` is `Expectations.to_plain()`, `seen` is `observe.Observation.to_plain()`."""
    verdict = Verdict(messages_sent=len(expected["messages"]))
    _check_objects(expected, seen, verdict)
    _check_tasks(expected, seen, verdict)
    _check_jobs(expected, seen, verdict)
    _check_queues(expected, seen, verdict)
    return verdict


# -- S3 -----------------------------------------------------------------------------------------------------


def _check_objects(expected: Mapping[str, Any], seen: Mapping[str, Any], verdict: Verdict) -> None:
    objects = seen["objects"]
    wanted = set(expected["objects"])
    for key, want in expected["objects"].items():
        _judge_object(key, want, objects.get(key), verdict)
    for file, entries in expected["entries"].items():
        manifest, lines = f"manifests/{file}.json", f"manifests/{file}.entries.jsonl"
        wanted |= {manifest, lines}
        _judge(
            manifest, objects.get(manifest), _manifest_faults(file, entries, objects.get(manifest)), verdict
        )
        _judge(lines, objects.get(lines), _lines_faults(entries, objects.get(lines)), verdict)
    for key in sorted(set(objects) - wanted):
        if not _part_of_a_split(key, expected):
            verdict.add("extra", f"{key} is not an object that anything leads to")


def _judge_object(
    key: str, want: Mapping[str, Any], have: Mapping[str, Any] | None, verdict: Verdict
) -> None:
    faults = []
    if have:
        faults = [
            f"{name} is {have[name]!r} instead of {want[name]!r}"
            for name in ("size", "sha256")
            if have[name] != want[name]
        ]
        for header, name in (("export-job-id", "job"), ("file-id", "file"), ("sha256", "sha256")):
            if have["metadata"].get(header) != want[name]:
                faults.append(f"metadata {header} is {have['metadata'].get(header)!r}")
    _judge(key, have, faults, verdict)


def _judge(key: str, have: Mapping[str, Any] | None, faults: list[str], verdict: Verdict) -> None:
    verdict.expected += 1
    if have is None:
        verdict.add("missing", f"{key} is not there")
    elif faults:
        verdict.add("wrong", f"{key}: {'; '.join(faults)}")
    else:
        verdict.present += 1


def _manifest_faults(file: str, entries: Mapping[str, str], have: Mapping[str, Any] | None) -> list[str]:
    if have is None:
        return []
    try:
        manifest = json.loads(have["text"])
        found, named = _merged(manifest["outcomes"]), f"{manifest['export_job_id']}/{manifest['file_id']}"
    except (ValueError, KeyError, TypeError) as error:
        return [f"it is not a manifest ({error!r})"]
    faults = [] if named == file else [f"it is the manifest of {named}"]
    wanted = Counter(entries.values())
    if found != dict(wanted):
        faults.append(f"outcomes {found} instead of {dict(wanted)}")
    return faults


def _merged(outcomes: Mapping[str, int]) -> dict[str, int]:
    """A later attempt finds what an earlier one has uploaded: both mean that it is in S3."""
    merged: Counter[str] = Counter()
    for outcome, count in outcomes.items():
        merged["uploaded" if outcome in _IN_S3 else outcome] += count
    return {outcome: count for outcome, count in merged.items() if count}


def _lines_faults(entries: Mapping[str, str], have: Mapping[str, Any] | None) -> list[str]:
    if have is None:
        return []
    try:
        lines = [json.loads(line) for line in have["text"].splitlines()]
        found = [
            (line["path"], "uploaded" if line["outcome"] in _IN_S3 else line["outcome"]) for line in lines
        ]
    except (ValueError, KeyError, TypeError) as error:
        return [f"it is not a list of entries ({error!r})"]
    faults = [
        f"{path} is listed {count} times" for path, count in Counter(p for p, _ in found).items() if count > 1
    ]
    if dict(found) != dict(entries):
        differing = sorted(set(dict(found).items()) ^ set(entries.items()))
        faults.append(f"entries differ: {differing[:4]}")
    return faults


def _part_of_a_split(key: str, expected: Mapping[str, Any]) -> bool:
    """The parts of a split archive's manifest may stay below it."""
    file, parts, _ = key.removeprefix("manifests/").partition(".parts/")
    return bool(parts) and key.startswith("manifests/") and file in expected["files"]


# -- the ledger and the events ------------------------------------------------------------------------------


def _check_tasks(expected: Mapping[str, Any], seen: Mapping[str, Any], verdict: Verdict) -> None:
    tasks = {
        f"{item['export_job_id']}/{item.get('file_id')}": item
        for item in seen["ledger"]
        if _is_task(item["item"])
    }
    finished: Counter[tuple[str, str]] = Counter()
    for change in seen["transitions"]:
        if _is_task(change["item"]) and change["to"].get("status") == "done" != change["from"].get("status"):
            finished[change["export_job_id"], change["item"]] += 1
    for (job, item), count in finished.items():
        if count > 1:
            verdict.add("tasks_completed_twice", f"{item} of {job} became done {count} times")
    for file, ending in expected["files"].items():
        status = tasks.get(file, {}).get("status", "unknown")
        if status != ("done" if ending == "done" else "parked"):
            verdict.add("unaccounted", f"the task of {file} is {status} in the ledger; expected {ending}")
    for file in sorted(set(tasks) - set(expected["files"])):
        verdict.add("unaccounted", f"the ledger has a task of {file}, which nobody listed")


def _is_task(item: str) -> bool:
    return item.startswith("TASK#") and "#PART#" not in item


def _check_jobs(expected: Mapping[str, Any], seen: Mapping[str, Any], verdict: Verdict) -> None:
    jobs = {item["export_job_id"]: item for item in seen["ledger"] if item["item"] == "JOB"}
    said = _events_by_job(seen)
    _check_said_once(seen, said, verdict)
    for job, reason in expected["jobs"].items():
        files = {file: end for file, end in expected["files"].items() if file.partition("/")[0] == job}
        failed = reason is not None or any(end != "done" for end in files.values())
        ending = "failed" if failed else "completed"
        item = jobs.get(job, {})
        status = item.get("status", "unknown")
        if status != ending:
            verdict.add("unaccounted", f"{job} is {status} in the ledger; expected {ending}")
            continue
        if not said[job, ending]:
            verdict.add("unaccounted", f"{job} is {ending} and no event says so")
        counts = {"tasks_total": len(files), "tasks_done": sum(end == "done" for end in files.values())}
        wrong = {name: item.get(name, 0) for name, count in counts.items() if item.get(name, 0) != count}
        if wrong and reason is None:
            verdict.add("unaccounted", f"{job} counts {wrong}; expected {counts}")


def _events_by_job(seen: Mapping[str, Any]) -> dict[tuple[str, str], Counter[str]]:
    """(job, completed or failed) → event id → how often it was sent."""
    said: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for event in seen["events"]:
        detail, type_ = event["detail"], event["type"]
        if type_ in ("Export Job Completed", "Export Job Failed"):
            said[detail["export_job_id"], type_.rpartition(" ")[2].lower()][detail["event_id"]] += 1
    return said


def _check_said_once(
    seen: Mapping[str, Any], said: Mapping[tuple[str, str], Counter[str]], verdict: Verdict
) -> None:
    twice = {
        job: f"said with {len(ids)} event ids"
        for (job, ending), ids in said.items()
        if ending == "completed" and len(ids) > 1
    }
    completed: Counter[str] = Counter()
    for change in seen["transitions"]:
        if change["item"] == "JOB" and change["to"].get("status") == "completed" != change["from"].get(
            "status"
        ):
            completed[change["export_job_id"]] += 1
    twice |= {job: f"became completed {count} times" for job, count in completed.items() if count > 1}
    for job, how in twice.items():
        verdict.add("jobs_completed_twice", f"{job} {how}")
    # The same event with the same id after a cut connection is what at-least-once means; listeners drop it.
    verdict.events_repeated = sum(count - 1 for ids in said.values() for count in ids.values())


# -- the queues ---------------------------------------------------------------------------------------------


def _check_queues(expected: Mapping[str, Any], seen: Mapping[str, Any], verdict: Verdict) -> None:
    for queue, count in seen["left_on_queues"].items():
        for _ in range(count):
            verdict.add("unaccounted", f"a message is still on {queue}")
    parked = list(_parkings(seen))
    verdict.parked = dict(sorted(Counter(reason for _, _, reason, _ in parked).items()))
    reasons: dict[tuple[str, str], set[str]] = defaultdict(set)
    malformed: set[str] = set()
    for queue, body, reason, names in parked:
        if not reason:
            verdict.add("unaccounted", f"a message is on the DLQ of {queue} without a reason: {body[:80]}")
        elif not names:
            malformed.add(body)
        for name in names:
            reasons[queue, name].add(reason)
    for message in expected["messages"]:
        if not message["jobs"] and message["body"] not in malformed:
            verdict.add("unaccounted", f"a malformed message is gone: {message['body'][:80]!r}")
    for queue, wanted in (("export-jobs", expected["jobs"]), ("download-tasks", expected["files"])):
        for name, ending in wanted.items():
            should = set() if ending in (None, "done") else {ending}
            have = reasons.pop((queue, name), set())
            if have != should:
                verdict.add(
                    "unaccounted",
                    f"{name} is on the DLQ of {queue} for {sorted(have)}; expected {sorted(should)}",
                )
    for (queue, name), have in reasons.items():
        verdict.add("unaccounted", f"{name} is on the DLQ of {queue} for {sorted(have)}; nobody sent it")


def _parkings(seen: Mapping[str, Any]) -> Iterator[tuple[str, str, str, list[str]]]:
    """(queue, body, reason, the jobs or files it is about) of each message on a DLQ."""
    for queue, messages in seen["parked"].items():
        for message in messages:
            yield queue, message["body"], message.get("reason") or "", _names(queue, message["body"])


def _names(queue: str, body: str) -> list[str]:
    try:
        document = json.loads(body)
        document = (
            json.loads(document["Message"]) if "Message" in document else document.get("detail", document)
        )
        if queue == "download-tasks":
            return [f"{document['export_job_id']}/{document['file_id']}"]
        return list(document["export_job_ids"]) if isinstance(document["export_job_ids"], list) else []
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
