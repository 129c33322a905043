"""The content of a message on a dead-letter queue: which work it is about, and why it is there."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

MOST_ATTRIBUTES = 10
LedgerItem = Callable[[str, str], Mapping[str, Any]]
"""The ledger's item of this partition and sort key; empty where there is none."""


def names_in(queue: str, body: str) -> list[str]:
    """The jobs, or on `download-tasks` the one `job/file`, that a body is about; none: malformed."""
    try:
        document = json.loads(body)
        document = (
            json.loads(document["Message"]) if "Message" in document else document.get("detail", document)
        )
        if queue == "download-tasks":
            return [f"{document['export_job_id']}/{document['file_id']}"]
        ids = document["export_job_ids"]
        return [str(id_) for id_ in ids] if isinstance(ids, list) else []
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def reason_of(body: str, attributes: Mapping[str, str | None], ledger: LedgerItem) -> str:
    """Why it was parked; "" when nobody says it.

    A producer that uses up SQS's ten attributes leaves no room for ours: then the ledger has the reason, on
    the job's item or, where the body names no single job, on the item of the body.
    """
    if reason := attributes.get("reason"):
        return reason
    if len(attributes) < MOST_ATTRIBUTES:
        return ""
    names = names_in("export-jobs", body)
    items = [ledger(f"#message:{hashlib.sha256(body.encode()).hexdigest()}", "MESSAGE")]
    if len(names) == 1:
        items.append(ledger(names[0], "JOB"))
    return next((str(item["reason"]) for item in items if item.get("reason")), "")
