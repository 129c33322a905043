"""The circuits that are not closed, in one item of the ledger table: one small read shows them all.

Each circuit is an attribute of that item. A step is written only over the very text it was made from, so of
any number of processes that take the same step one succeeds; a circuit that closes leaves nothing behind.
"""

from collections.abc import Mapping
from typing import Protocol
from urllib.parse import quote

from boto3.dynamodb.conditions import Attr

from ..ledger.expressions import Change
from ..ledger.table import ConditionRefused, LedgerTable
from .state import CircuitRecord

# No job id holds a `#`.
_PARTITION, _ITEM = "#circuits", "CIRCUITS"
_PREFIX = "circuit_"


class CircuitStore(Protocol):
    """Where the fleet's circuits are. Both raise the store's own errors."""

    def read(self) -> Mapping[str, CircuitRecord]: ...

    def swap(self, dependency: str, before: CircuitRecord | None, after: CircuitRecord | None) -> bool: ...


class LedgerCircuits:
    """The circuits of an environment, in its ledger."""

    def __init__(self, table: LedgerTable) -> None:
        self._table = table

    def read(self) -> Mapping[str, CircuitRecord]:
        """Every circuit that is not closed, by its dependency."""
        item = self._table.get(_PARTITION, _ITEM) or {}
        records = (CircuitRecord.of(str(value)) for name, value in item.items() if name.startswith(_PREFIX))
        return {record.dependency: record for record in records if record is not None}

    def swap(self, dependency: str, before: CircuitRecord | None, after: CircuitRecord | None) -> bool:
        """Take the step from `before` to `after`; false when somebody took one since `before` was read."""
        name = _attribute(dependency)
        unchanged = Attr(name).not_exists() if before is None else Attr(name).eq(before.text())
        change = Change(
            job=_PARTITION,
            key=_ITEM,
            set={} if after is None else {name: after.text()},
            remove=(name,) if after is None else (),
            when=unchanged,
        )
        try:
            self._table.update(change)
        except ConditionRefused:
            return False
        return True


def _attribute(dependency: str) -> str:
    # In a condition a dot or bracket would lead into a map.
    return _PREFIX + quote(dependency, safe=":").replace(".", "%2E")
