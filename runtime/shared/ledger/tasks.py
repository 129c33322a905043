"""A task from its claim to its end, and the job's counts that move with it in the same transaction.

A task item remembers how the job counts it (`counted`: nothing yet, `done` or `parked`), so that a repeat, a
parking and a later success after a redrive each change the counts by exactly what is due.
"""

from typing import Any

from boto3.dynamodb.conditions import Attr, ConditionBase

from ..consumer.lineage import Lineage
from . import leases
from .expressions import Change, absent_or
from .jobs import ERROR_CHARACTERS, JOB, JobLedger, of_run
from .table import ConditionRefused, Item
from .types import (
    FAILING,
    AlreadyFinished,
    Claim,
    JobState,
    LeaseLost,
    Split,
    Summary,
    WorkUnit,
    totals_of,
)


class TaskLedger(JobLedger):
    """Claim, renew, release, complete and park tasks."""

    def claim(self, unit: WorkUnit, *, owner: str, lease_s: float, message: Lineage | None = None) -> Claim:
        """The right to work on the unit. Raises AlreadyFinished | Busy | Duplicate | Superseded.

        A parked unit can be claimed again: that is what a redrive from the dead-letter queue does.
        """
        try:
            item = leases.take(
                self._table,
                unit.export_job_id,
                unit.key,
                owner=owner,
                lease_s=lease_s,
                allowed=Attr("status").not_exists() | Attr("status").ne("done"),
                change={"status": "claimed"},
                defaults={"file_id": unit.file_id},
                message=message,
            )
        except leases.NotOurs as refusal:
            raise AlreadyFinished(str(refusal.item.get("status"))) from refusal
        return Claim(
            unit=unit,
            generation=int(item["generation"]),
            owner=owner,
            split=recorded_split(item),
            parts_sent=bool(item.get("parts_sent", False)),
        )

    def renew(self, claim: Claim, lease_s: float) -> None:
        """Raises LeaseLost."""
        leases.renew(self._table, claim.unit.export_job_id, claim.unit.key, claim.generation, lease_s)

    def release(self, claim: Claim) -> None:
        """The lease ends now (on yield and retry), so that the next claim does not wait for it."""
        leases.release(self._table, claim.unit.export_job_id, claim.unit.key, claim.generation, "waiting")

    def complete(self, claim: Claim, summary: Summary) -> JobState:
        """The task is done and the job counts it, in one transaction; repeating it changes nothing.

        Raises LeaseLost.
        """
        unit = claim.unit
        while True:
            item = self._held(claim, self._table.get(unit.export_job_id, unit.task_key))
            if item["status"] == "done":
                return self.job_state(unit.export_job_id)
            fields = {"summary": dict(summary), "finished_at": self._table.clock()}
            fence = Attr("generation").eq(claim.generation)
            if self._end(unit, item, "done", fields, fence=fence):
                return self.job_state(unit.export_job_id)

    def park(self, work: Claim | WorkUnit, reason: str, error: str) -> JobState:
        """The task can never succeed as it is; the job counts it as parked. A part parks its whole task.

        Raises LeaseLost when the claim is no longer held; given only the unit, while anybody holds the task:
        parking its message then would leave nobody to finish it, should the holder die.
        """
        unit = work.unit if isinstance(work, Claim) else work
        fields = {"reason": reason, "error": error[:ERROR_CHARACTERS], "parked_part": unit.part}
        while True:
            item = self._table.get(unit.export_job_id, unit.task_key) or {}
            extra: list[Change] = []
            if isinstance(work, Claim) and unit.part is None:
                self._held(work, item)
            elif isinstance(work, Claim):
                extra.append(self._parked_part(work, fields))
            elif float(item.get("lease_until", 0)) > self._table.clock():
                raise LeaseLost(f"{unit.key} of job {unit.export_job_id} is being worked on")
            if item.get("status") == "done":
                return self.job_state(unit.export_job_id)
            if self._end(
                unit,
                item,
                "parked",
                fields,
                fence=absent_or("generation", item.get("generation")),
                extra=extra,
            ):
                return self.job_state(unit.export_job_id)
            if extra:
                self._held(work, self._table.get(unit.export_job_id, unit.key))

    def _end(
        self,
        unit: WorkUnit,
        before: Item,
        status: str,
        fields: dict[str, Any],
        *,
        fence: ConditionBase,
        extra: list[Change] | None = None,
    ) -> bool:
        """Move the task and the job's counts together; false when the task changed since it was read."""
        counted, listed = before.get("counted"), before.get("listed")
        task = Change(
            job=unit.export_job_id,
            key=unit.task_key,
            set={"status": status, "counted": status, "lease_until": 0, **fields},
            defaults={"file_id": unit.file_id, "created_at": self._table.clock()},
            remove=FAILING,
            when=fence & absent_or("counted", counted) & absent_or("listed", listed),
        )
        changes = [task, *(extra or [])]
        # A task outside the listing is not among the job's total, so it must not be among its done ones.
        if not listed or counted == status:
            return self._transacted(changes)
        add = {f"tasks_{status}": 1, **({f"tasks_{counted}": -1} if counted else {})}
        add |= totals_of(fields.get("summary", {}))
        job = Change(job=unit.export_job_id, key=JOB, add=add, when=of_run(int(before.get("run", 1))))
        try:
            self._table.transact([*changes, job])
        except ConditionRefused as refusal:
            # The job alone refuses when it has begun another run: its counts are not those of this end, and
            # its listing will open the task again.
            return refusal.items.keys() == {len(changes)} and self._transacted(changes)
        return True

    def _transacted(self, changes: list[Change]) -> bool:
        try:
            self._table.transact(changes)
        except ConditionRefused:
            return False
        return True

    def _parked_part(self, claim: Claim, fields: dict[str, Any]) -> Change:
        return Change(
            job=claim.unit.export_job_id,
            key=claim.unit.key,
            set={"status": "parked", "lease_until": 0, **fields},
            remove=FAILING,
            when=Attr("generation").eq(claim.generation),
        )

    @staticmethod
    def _held(work: Claim | WorkUnit, item: Item | None) -> Item:
        generation = work.generation if isinstance(work, Claim) else None
        if item is None or item.get("generation") != generation:
            unit = work.unit if isinstance(work, Claim) else work
            raise LeaseLost(f"{unit.key} of job {unit.export_job_id} was taken over")
        return item


def recorded_split(item: Item) -> Split | None:
    """The split recorded on a task item, if there is one."""
    if "split_parts" not in item:
        return None
    return Split(
        tuple((int(first), int(last)) for first, last in item["split_parts"]), int(item.get("epoch", 0))
    )
