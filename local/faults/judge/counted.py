"""What a job's count must have found: the count is of the moment when the job's end was said.

A task that an operator brings back later, while the job stays failed for another one, is not counted again.
"""

from collections.abc import Mapping, Sequence
from typing import Any


def missing_when_said(job: str, expected: Mapping[str, Any], seen: Mapping[str, Any]) -> list[str]:
    """The expected paths that were not in S3 when the job's last end was said."""
    missing = list(expected.get("missing", {}).get(job, ()))
    for file in _done_later(job, seen["transitions"]):
        entries = expected["entries"].get(f"{job}/{file}", {})
        missing += [path for path, outcome in entries.items() if outcome == "uploaded"]
    return missing


def _done_later(job: str, transitions: Sequence[Mapping[str, Any]]) -> set[str]:
    """Files whose task became done after the job had last ended."""
    done: set[str] = set()
    for change in transitions:
        if change["export_job_id"] != job:
            continue
        status = change["to"].get("status")
        if change["item"] == "JOB" and status in ("completed", "incomplete", "failed"):
            done.clear()
        elif status == "done" and change["item"].startswith("TASK#") and "#PART#" not in change["item"]:
            done.add(str(change["to"].get("file_id")))
    return done
