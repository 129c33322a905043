"""Where the work inside a unit is, kept for whoever claims the unit next.

Checkpoints lie in partitions of their own: they are too large to be read with a job's status, and written too
often to share its partition. They are fenced by the claim's generation like every other write, and hints all
the same: whoever goes on from one checks it.
"""

from boto3.dynamodb.conditions import Attr

from .expressions import Change
from .table import ConditionRefused, LedgerTable
from .types import Claim, LeaseLost, WorkUnit


class CheckpointLedger:
    """Save, load and drop; a checkpoint has a name that is its own within the unit."""

    _table: LedgerTable

    def save_checkpoint(self, claim: Claim, name: str, data: bytes) -> None:
        """At most 300 KB. Raises LeaseLost."""
        job, key = _place(claim.unit, name)
        self._write_checkpoint(claim, Change(job=job, key=key, set=_stamped(claim, data)))

    def load_checkpoint(self, claim: Claim, name: str) -> bytes | None:
        """The bytes that were saved last, by whichever claim; None when there are none."""
        item = self._table.get(*_place(claim.unit, name))
        return bytes(item["data"]) if item is not None and "data" in item else None

    def drop_checkpoint(self, claim: Claim, name: str) -> None:
        """It is no longer needed. Raises LeaseLost."""
        job, key = _place(claim.unit, name)
        self._write_checkpoint(claim, Change(job=job, key=key, set=_stamped(claim), remove=("data",)))

    def _write_checkpoint(self, claim: Claim, change: Change) -> None:
        current = Attr("generation").not_exists() | Attr("generation").lte(claim.generation)
        try:
            self._table.update(
                Change(job=change.job, key=change.key, set=change.set, remove=change.remove, when=current)
            )
        except ConditionRefused as refusal:
            raise LeaseLost(f"{claim.unit.key} was taken over") from refusal


def _place(unit: WorkUnit, name: str) -> tuple[str, str]:
    return f"{unit.export_job_id}#{unit.key}", f"CHECKPOINT#{name}"


def _stamped(claim: Claim, data: bytes | None = None) -> dict[str, object]:
    return {"generation": claim.generation, **({"data": data} if data is not None else {})}
