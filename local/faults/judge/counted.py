"""The count that a job must have come to: of the moment when the job's end was announced.

A task that an operator brings back later, while the job stays failed for another one, is not counted again;
but where an earlier try of it had got as far as its manifest, its files had arrived all the same.
"""

from collections.abc import Mapping, Sequence
from typing import Any


def missing_when_announced(job: str, expected: Mapping[str, Any], seen: Mapping[str, Any]) -> list[str]:
    """The expected paths that were not in S3 when the job's last end was said."""
    missing = list(expected.get("missing", {}).get(job, ()))
    ended_at, files = _done_later(job, seen["transitions"])
    written = seen.get("first_written", {})
    for file in files:
        if written.get(f"manifests/{job}/{file}.json", ended_at) < ended_at:
            continue
        entries = expected["entries"].get(f"{job}/{file}", {})
        missing += [path for path, outcome in entries.items() if outcome == "uploaded"]
    return missing


def _done_later(job: str, transitions: Sequence[Mapping[str, Any]]) -> tuple[float, set[str]]:
    """When the job last ended, and the files whose task became done after that."""
    done: set[str] = set()
    ended_at = 0.0
    for change in transitions:
        if change["export_job_id"] != job:
            continue
        status = change["to"].get("status")
        if change["item"] == "JOB" and status in ("completed", "incomplete", "failed"):
            done.clear()
            ended_at = float(change["to"].get("finished_at", 0))
        elif status == "done" and change["item"].startswith("TASK#") and "#PART#" not in change["item"]:
            done.add(str(change["to"].get("file_id")))
    return ended_at, done
