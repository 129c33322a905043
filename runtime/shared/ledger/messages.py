"""The memory of a piece of work beside its message, which has room for few attributes.

A run of transient failures (since when, how many, how it began, what it met last), how long a job has been
waited for, and why a message that names no job or task was parked. None of it is fenced: it is written when
no claim is held, and refused while somebody else holds one.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from boto3.dynamodb.conditions import Attr

from ..consumer.failures import FailureRun
from . import leases
from .expressions import Change
from .jobs import ERROR_CHARACTERS, JOB
from .table import ConditionRefused, Item, LedgerTable
from .types import FAILING


@dataclass(frozen=True, slots=True)
class Place:
    """An item of the ledger."""

    job: str
    key: str


def place_of_job(export_job_id: str) -> Place:
    return Place(export_job_id, JOB)


def place_of_body(body: str) -> Place:
    """Where to remember a message that is no single job's and no task's; no job id holds a `#`."""
    return Place(f"#message:{hashlib.sha256(body.encode(errors='replace')).hexdigest()}", "MESSAGE")


class MessageLedger:
    """Times are the table's clock; everything expires with the ledger's retention."""

    def __init__(self, table: LedgerTable) -> None:
        self._table = table

    def failed(self, place: Place, reason: str, error: str, *, anew: bool) -> FailureRun | None:
        """Record one more failure and return its run; `anew` when there was progress since the last one.

        `failing_alike` is the last failure's reason, `failing_alike_since` since when nothing else was met.

        None when somebody else is at work on it, or it is done.
        """
        now = self._table.clock()
        alike = {"failing_alike": reason, "failing_alike_since": now}
        first = {"failing_since": now, "failing_reason": reason, **alike}
        change = Change(
            job=place.job,
            key=place.key,
            set={"failing_error": error[:ERROR_CHARACTERS], **({**first, "failures": 1} if anew else {})},
            defaults={"created_at": now, **({} if anew else first)},
            add={} if anew else {"failures": 1},
            when=leases.free(now) & (Attr("status").not_exists() | Attr("status").ne("done")),
        )
        try:
            item = self._table.update(change)
        except ConditionRefused:
            return None
        if item["failing_alike"] != reason:
            item = self._table.update(Change(job=place.job, key=place.key, set=alike))
        return replace(
            _run(item, "failing_since", "failures", "failing_reason"),
            alike_since=datetime.fromtimestamp(float(item["failing_alike_since"]), UTC),
        )

    def waited(self, place: Place, reason: str) -> FailureRun:
        """Record that the other side is well and asks for patience: that ends a run of failures."""
        item = self._table.update(
            Change(
                job=place.job,
                key=place.key,
                set={"waiting_reason": reason},
                defaults={"waiting_since": self._table.clock()},
                add={"waits": 1},
                remove=FAILING,
            )
        )
        return _run(item, "waiting_since", "waits", "waiting_reason")

    def parked(self, place: Place, reason: str, error: str, *, first_seen: datetime) -> None:
        """Why a message was parked that names no job or task; the message itself may have no room for it."""
        self._table.update(
            Change(
                job=place.job,
                key=place.key,
                set={"status": "parked", "reason": reason, "error": error[:ERROR_CHARACTERS]},
                defaults={"created_at": first_seen.timestamp()},
                remove=FAILING,
            )
        )


def _run(item: Item, since: str, count: str, reason: str) -> FailureRun:
    moment = datetime.fromtimestamp(float(item[since]), UTC)
    return FailureRun(moment, int(item[count]), str(item[reason]))
