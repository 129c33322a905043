"""The independent check of a run: what is there, against what the generated exports say should be.

It shares no code with the runtime. Every object is read and compared byte for byte, every entry's outcome is
looked up in the manifests, and both DLQs are compared with what had to be parked.
"""

import json
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO, Any
from urllib.parse import unquote

from botocore.exceptions import ClientError

from local.export_api.content import Content
from local.export_api.generated import Entry, GeneratedExports
from local.operations import Operations
from local.processes import wait_for

_READERS = 8
_DRAIN_S = 180.0


@dataclass
class Findings:
    """What the check saw; `problems` is empty when all is as expected."""

    objects: int = 0
    object_bytes: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    parked: Counter[str] = field(default_factory=Counter)
    jobs: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def check(
    platform: Operations, exports: GeneratedExports, *, parked_jobs: Iterable[tuple[str, str]] = ()
) -> Findings:
    """Compare everything.

    `parked_jobs`: the (body, reason) of each message that `export-jobs` must have parked.
    """
    findings = Findings()
    _check_objects(platform, exports.entries, findings)
    _check_entries(platform, exports.entries, findings)
    _check_drained(platform, findings)
    _check_parked(platform, exports, list(parked_jobs), findings)
    _check_jobs(platform, exports, findings)
    return findings


def _check_objects(platform: Operations, entries: list[Entry], findings: Findings) -> None:
    expected = {entry.object_key: entry for entry in entries if entry.object_key is not None}
    present = platform.objects("exports/")
    findings.problems += [f"missing object {key}" for key in sorted(expected.keys() - present.keys())]
    findings.problems += [
        f"object that should not be there: {key}" for key in sorted(present.keys() - expected.keys())
    ]

    def compare(key: str) -> str | None:
        entry = expected[key]
        if present[key] != entry.content.size:
            return f"{key} has {present[key]} bytes instead of {entry.content.size}"
        return _difference(platform, key, entry)

    both = sorted(expected.keys() & present.keys())
    with ThreadPoolExecutor(_READERS) as readers:
        differences = [difference for difference in readers.map(compare, both) if difference]
    findings.problems += differences
    findings.objects = len(both) - len(differences)
    findings.object_bytes = sum(present[key] for key in both)


def _difference(platform: Operations, key: str, entry: Entry) -> str | None:
    answer = platform.get_object(key)
    metadata = answer["Metadata"]
    # User metadata is ASCII; the worker percent-encodes the rest.
    said = (unquote(metadata.get(name, "")) for name in ("export-job-id", "file-id"))
    if tuple(said) != (entry.job_id, entry.file_id):
        return f"{key} says in its metadata that it is from {metadata}"
    # Where no digest was expected, none needs to be known before the upload begins.
    expected = (entry.metadata or {}).get("sha256", metadata.get("sha256"))
    if metadata.get("sha256") != expected:
        return f"{key} says in its metadata that its SHA-256 is {metadata.get('sha256')}"
    return _compare_bytes(key, answer["Body"], entry.content)


def _compare_bytes(key: str, body: IO[bytes], content: Content) -> str | None:
    position = 0
    for piece in content.pieces():
        if body.read(len(piece)) != piece:
            return f"{key} differs in the bytes from {position} to {position + len(piece)}"
        position += len(piece)
    return f"{key} goes on after its {position} bytes" if body.read(1) else None


def _check_entries(platform: Operations, entries: list[Entry], findings: Findings) -> None:
    by_file: dict[tuple[str, str], dict[str, Entry]] = {}
    for entry in entries:
        by_file.setdefault((entry.job_id, entry.file_id), {})[entry.path] = entry
    for (job_id, file_id), expected in by_file.items():
        key = f"manifests/{job_id}/{file_id}.entries.jsonl"
        try:
            lines = platform.get_object(key)["Body"].read().decode().splitlines()
        except ClientError as error:
            findings.problems.append(f"no manifest {key}: {error.response['Error']['Code']}")
            continue
        outcomes = {line["path"]: line["outcome"] for line in map(json.loads, lines)}
        if len(outcomes) != len(lines) or outcomes.keys() != expected.keys():
            findings.problems.append(f"{key} lists {len(lines)} entries instead of {len(expected)}")
        for path, outcome in outcomes.items():
            # What a killed worker had uploaded, the next one finds present.
            found = "uploaded" if outcome == "already-present" else outcome
            if found != "uploaded":
                findings.rejected[found] += 1
            if path in expected and found != expected[path].outcome:
                findings.problems.append(f"{key}: {path} is {outcome} instead of {expected[path].outcome}")


def _check_drained(platform: Operations, findings: Findings) -> None:
    # A copy that was put off while somebody else held its task comes back to find nothing left to do.
    try:
        wait_for(lambda: not platform.queued(), "both queues empty", _DRAIN_S, poll_s=0.5)
    except TimeoutError as error:
        findings.problems.append(f"{error}; they hold {platform.queued()} messages")


def _check_parked(
    platform: Operations, exports: GeneratedExports, parked_jobs: list[tuple[str, str]], findings: Findings
) -> None:
    tasks = []
    for message in platform.parked("DownloadTasks"):
        task = json.loads(message["body"])
        tasks.append(((task["export_job_id"], task["file_id"]), message.get("reason", "none")))
    jobs = [(message["body"], message.get("reason", "none")) for message in platform.parked("ExportJobs")]
    findings.parked = Counter(reason for _, reason in [*tasks, *jobs])
    compared: tuple[tuple[str, Counter[Any], Counter[Any]], ...] = (
        ("download-tasks", Counter(tasks), Counter(exports.parked.items())),
        ("export-jobs", Counter(jobs), Counter(parked_jobs)),
    )
    for queue, found, expected in compared:
        findings.problems += [
            f"not on the DLQ of {queue}: {what} for {why}" for what, why in expected - found
        ]
        findings.problems += [
            f"on the DLQ of {queue} unexpectedly: {what} for {why}" for what, why in found - expected
        ]


def _check_jobs(platform: Operations, exports: GeneratedExports, findings: Findings) -> None:
    failed = {job_id for job_id, _ in exports.parked}
    missing = Counter(
        entry.job_id for entry in exports.entries if entry.metadata is not None and entry.object_key is None
    )
    for job_id in exports.catalogue.exports:
        items = {item["item"]: item for item in platform.ledger(job_id)}
        job = items.get("JOB", {})
        status = job.get("status")
        expected = "failed" if job_id in failed else "incomplete" if missing[job_id] else "completed"
        findings.jobs[expected] += 1
        if status != expected:
            findings.problems.append(f"the ledger says that job {job_id} is {status} instead of {expected}")
        # A parked archive's entries are not among `entries`: what they add is not known here.
        if job_id not in failed and job.get("missing") != missing[job_id]:
            findings.problems.append(
                f"the ledger says that {job.get('missing')} files of job {job_id} are missing instead of "
                f"{missing[job_id]}"
            )
