"""Splitting a task into parts and bringing them together again.

The task item holds the split and its epoch; each part has its own item and lease. Starting over (the archive
changed under the parts) raises the epoch, which makes every part of the earlier split stale.
"""

from collections.abc import Sequence
from typing import Any

from boto3.dynamodb.conditions import Attr, ConditionBase

from ..consumer.lineage import Lineage
from . import leases
from .checkpoints import CheckpointLedger
from .counts import CountLedger
from .expressions import Change
from .table import ConditionRefused, Item
from .tasks import TaskLedger, recorded_split
from .types import (
    FAILING,
    AlreadyFinished,
    Claim,
    LeaseLost,
    PartsState,
    Split,
    Summary,
    Superseded,
    WorkUnit,
)


class Ledger(CheckpointLedger, TaskLedger, CountLedger):
    """The whole ledger as the worker uses it."""

    def claim(self, unit: WorkUnit, *, owner: str, lease_s: float, message: Lineage | None = None) -> Claim:
        """The right to work on the task or part; `message` is what it came by.

        Raises AlreadyFinished | Busy | Duplicate | Superseded.
        """
        if unit.part is None:
            return super().claim(unit, owner=owner, lease_s=lease_s, message=message)
        self._require_current(unit)
        try:
            item = leases.take(
                self._table,
                unit.export_job_id,
                unit.key,
                owner=owner,
                lease_s=lease_s,
                allowed=Attr("status").not_exists()
                | Attr("epoch").lt(unit.epoch)
                | (Attr("epoch").eq(unit.epoch) & Attr("status").ne("done")),
                change={"status": "claimed", "epoch": unit.epoch},
                defaults={"file_id": unit.file_id},
                remove=("summary", "reason", "error"),
                message=message,
            )
        except leases.NotOurs as refusal:
            self._require_current(unit)
            raise AlreadyFinished(str(refusal.item.get("status"))) from refusal
        return Claim(unit=unit, generation=int(item["generation"]), owner=owner)

    def split(self, claim: Claim, ranges: Sequence[tuple[int, int]]) -> Split:
        """Record the parts; a task that has been split before keeps the split it has. Raises LeaseLost.

        Send the parts' messages next, then call `parts_sent`.
        """
        unit = claim.unit
        try:
            item = self._table.update(
                Change(
                    job=unit.export_job_id,
                    key=unit.task_key,
                    set={
                        "split_parts": [list(pair) for pair in ranges],
                        "parts_done": 0,
                        "parts_sent": False,
                    },
                    defaults={"epoch": 0},
                    when=Attr("generation").eq(claim.generation) & Attr("split_parts").not_exists(),
                )
            )
        except ConditionRefused as refusal:
            item = self._held(claim, refusal.items[0])
        recorded = recorded_split(item)
        assert recorded is not None
        return recorded

    def parts_sent(self, claim: Claim) -> None:
        """Every part is on the queue; the task's own lease ends here. Raises LeaseLost."""
        change = Change(
            job=claim.unit.export_job_id,
            key=claim.unit.task_key,
            set={"parts_sent": True, "status": "split", "lease_until": 0},
            remove=FAILING,
            when=Attr("generation").eq(claim.generation),
        )
        try:
            self._table.update(change)
        except ConditionRefused as refusal:
            raise LeaseLost(f"{claim.unit.task_key} was taken over") from refusal

    def complete_part(self, claim: Claim, summary: Summary) -> PartsState:
        """The part is done; repeating it changes nothing. Raises LeaseLost | Superseded.

        When the answer says `finished`, claim `unit.whole()`, join the manifest and `complete` that claim. A
        crash in between is healed by the part's redelivery: its claim raises AlreadyFinished, and
        `parts_state` says finished.
        """
        unit = claim.unit
        part = Change(
            job=unit.export_job_id,
            key=unit.key,
            set={
                "status": "done",
                "lease_until": 0,
                "summary": dict(summary),
                "finished_at": self._table.clock(),
            },
            remove=FAILING,
            when=Attr("generation").eq(claim.generation) & Attr("status").ne("done"),
        )
        task = Change(
            job=unit.export_job_id, key=unit.task_key, add={"parts_done": 1}, when=_at_epoch(unit.epoch)
        )
        try:
            self._table.transact([part, task])
        except ConditionRefused as refusal:
            self._require_current(unit)
            item = self._held(claim, self._table.get(unit.export_job_id, unit.key))
            if item.get("status") != "done":
                raise LeaseLost(f"{unit.key} of job {unit.export_job_id} was not recorded") from refusal
        return self.parts_state(unit)

    def parts_state(self, unit: WorkUnit) -> PartsState:
        """How far the task's current split is; 0 of 1 when it is not split.

        Works for a part's unit and a task's.
        """
        item = self._table.get(unit.export_job_id, unit.task_key) or {}
        recorded = recorded_split(item)
        if recorded is None:
            return PartsState(0, 1)
        done, count = int(item.get("parts_done", 0)), len(recorded.parts)
        if done < count:
            return PartsState(done, count)
        rows = self._table.query(unit.export_job_id, f"{unit.task_key}#PART#")
        current = {
            int(row["item"].rpartition("#")[2]): row["summary"]
            for row in rows
            if row.get("epoch") == recorded.epoch and "summary" in row
        }
        return PartsState(done, count, tuple(current[index] for index in sorted(current)))

    def restart_split(self, claim: Claim) -> int:
        """The archive is not what was split: forget the parts and return the next epoch.

        Works with a part's claim and with the whole task's. Go on by claiming `unit.whole()` and planning
        afresh; should that die, the same message comes back as Superseded(task_open=True). Raises LeaseLost |
        Superseded.
        """
        unit = claim.unit
        epoch = unit.epoch if unit.part is not None else (claim.split.epoch if claim.split else 0)
        fence = Attr("generation").eq(claim.generation)
        current = _at_epoch(epoch)
        forget = Change(
            job=unit.export_job_id,
            key=unit.task_key,
            set={"epoch": epoch + 1, "parts_done": 0, "parts_sent": False},
            remove=("split_parts",),
            when=current if unit.part is not None else current & fence,
        )
        held = [] if unit.part is None else [Change(job=unit.export_job_id, key=unit.key, when=fence)]
        try:
            self._table.transact([forget, *held])
        except ConditionRefused as refusal:
            if unit.part is not None:
                self._require_current(unit)
            raise LeaseLost(f"{unit.key} of job {unit.export_job_id} was taken over") from refusal
        return epoch + 1

    def _require_current(self, unit: WorkUnit) -> None:
        task: dict[str, Any] = self._table.get(unit.export_job_id, unit.task_key) or {}
        if int(task.get("epoch", 0)) != unit.epoch:
            raise Superseded(task_open=_open(task))


def _at_epoch(epoch: int) -> ConditionBase:
    at = Attr("epoch").eq(epoch)
    return at | Attr("epoch").not_exists() if epoch == 0 else at


def _open(task: Item) -> bool:
    return task.get("status") != "done" and not task.get("parts_sent", False)
