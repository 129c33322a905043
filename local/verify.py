"""A run of generated exports, put to the judge that the fault campaign uses.

Of the judge's rules nothing is repeated here; this only says what the generated exports lead to.
"""

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from local.export_api.generated import GeneratedExports
from local.faults.judge import observe
from local.faults.judge.checker import check
from local.faults.judge.judgement import Judgement
from local.faults.judge.observe import Places
from local.faults.judge.parking import names_in
from local.platform import Platform
from local.processes import wait_for

_DRAIN_S = 180.0
_QUEUES = {"export-jobs": "ExportJobs", "download-tasks": "DownloadTasks"}


class Verification:
    """To be made before the first message is sent: history begins here."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._places = Places(
            bucket=platform.output("BucketName"),
            ledger=platform.output("LedgerTableName"),
            queues={name: platform.output(f"{label}QueueUrl") for name, label in _QUEUES.items()},
            dlqs={name: platform.output(f"{label}DlqUrl") for name, label in _QUEUES.items()},
        )
        observe.record_ledger(platform.client, self._places.ledger)
        bus = platform.definitions["worker"].environment.get("EVENT_BUS_NAME") or "default"
        self._heard = observe.subscribe(platform.client, bus)

    def judge(self, exports: GeneratedExports, *, parked_jobs: Iterable[tuple[str, str]] = ()) -> Judgement:
        """Wait until the queues are empty, then compare everything.

        `parked_jobs`: the (body, reason) of each message that `export-jobs` must have parked.
        """
        # A copy that was put off while somebody else held its task finds nothing left to do. When the time is
        # over, the judge says which messages are left.
        with suppress(TimeoutError):
            wait_for(lambda: not self._platform.queued(), "both queues empty", _DRAIN_S, poll_s=0.5)
        clients = self._platform.client
        heard = observe.heard(clients("sqs"), self._heard)
        seen = observe.observe(clients, self._places, events=heard).to_plain()
        return check(expectations(exports, parked_jobs), seen)


def expectations(exports: GeneratedExports, parked_jobs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The expectations that the judge compares with: see `seeding.Expectations`."""
    objects: dict[str, dict[str, Any]] = {}
    entries: dict[str, dict[str, str]] = defaultdict(dict)
    missing: dict[str, list[str]] = {job_id: [] for job_id in exports.catalogue.exports}
    for entry in exports.entries:
        entries[f"{entry.job_id}/{entry.file_id}"][entry.path] = entry.outcome
        if entry.object_key is not None:
            objects[entry.object_key] = {
                "size": entry.content.size,
                "sha256": entry.content.sha256(),
                "job": entry.job_id,
                "file": entry.file_id,
                "undigested": "sha256" not in (entry.metadata or {}),
            }
        elif entry.metadata is not None:
            missing[entry.job_id].append(entry.path)
    files = {
        f"{job_id}/{file.file_id}": exports.parked.get((job_id, file.file_id), "done")
        for job_id, export in exports.catalogue.exports.items()
        for file in export.files
    }
    jobs: dict[str, str | None] = dict.fromkeys(exports.catalogue.exports)
    messages: list[dict[str, Any]] = []
    for body, reason in parked_jobs:
        names = names_in("export-jobs", body)
        jobs |= dict.fromkeys(names, reason)
        messages.append({"body": body, "jobs": names})
    return {
        "objects": objects,
        "entries": entries,
        "files": files,
        "jobs": jobs,
        "missing": missing,
        "messages": messages,
    }
