"""Conditional writes on the ledger table, as values: one `Change` is one item's update and its condition.

Promises: a refused condition surfaces with the item that refused it; two transactions that merely collide are
tried again here; every write renews the item's expiry.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from ..backoff import Backoff
from .expressions import PARTITION, SORT, Change, expressions
from .expressions import key as key_of
from .values import plain

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
T = TypeVar("T")

MAX_TRANSACTION = 100
_TRANSIENT = frozenset(
    ("TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "RequestLimitExceeded")
)


class ConditionRefused(Exception):
    """A condition did not hold.

    `items` is what stood in the table, by the position of the change (None: it held).
    """

    def __init__(self, items: Mapping[int, Item]) -> None:
        super().__init__("a condition on the ledger did not hold")
        self.items = items


class _Collision(Exception):
    """Two transactions touched one item; neither is wrong."""

    def __init__(self, error: ClientError) -> None:
        super().__init__(str(error))
        self.error = error


class LedgerTable:
    """The table; `clock` gives epoch seconds and is what leases and expiry are measured by."""

    def __init__(
        self,
        client: "DynamoDBClient",
        name: str,
        *,
        retention_days: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._name = name
        self._retention_s = retention_days * 86_400
        self.clock = clock

    def get(self, job: str, key: str) -> Item | None:
        """The item as of now (a consistent read)."""
        answer = self._client.get_item(TableName=self._name, Key=key_of(job, key), ConsistentRead=True)
        return plain(answer["Item"]) if "Item" in answer else None

    def query(self, job: str, prefix: str = "") -> list[Item]:
        """Every item of the job whose key starts with `prefix`, consistently read."""
        items: list[Item] = []
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="#p = :p AND begins_with(#s, :s)" if prefix else "#p = :p",
            ExpressionAttributeNames={"#p": PARTITION, "#s": SORT} if prefix else {"#p": PARTITION},
            ExpressionAttributeValues={":p": {"S": job}, ":s": {"S": prefix}}
            if prefix
            else {":p": {"S": job}},
            ConsistentRead=True,
        )
        for page in pages:
            items += [plain(item) for item in page["Items"]]
        return items

    def update(self, change: Change) -> Item:
        """Apply one change and return the item as it is afterwards. Raises ConditionRefused."""
        return _beyond_collisions(lambda: self._update(change))

    def transact(self, changes: Sequence[Change]) -> None:
        """Apply all changes or none. Raises ConditionRefused."""
        _beyond_collisions(lambda: self._transact(changes))

    def _update(self, change: Change) -> Item:
        try:
            answer = self._client.update_item(
                TableName=self._name,
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **self._expressions(change),
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ConditionalCheckFailedException":
                refusing: Any = error.response.get("Item", {})
                raise ConditionRefused({0: plain(refusing)}) from error
            if code == "TransactionConflictException":
                raise _Collision(error) from error
            raise
        return plain(answer["Attributes"])

    def _transact(self, changes: Sequence[Change]) -> None:
        try:
            self._client.transact_write_items(TransactItems=[self._operation(change) for change in changes])
        except self._client.exceptions.TransactionCanceledException as error:
            _raise_reasons(error)

    def _operation(self, change: Change) -> Any:
        kind = "Update" if change.is_update else "ConditionCheck"
        asked = self._expressions(change)
        return {kind: {"TableName": self._name, "ReturnValuesOnConditionCheckFailure": "ALL_OLD", **asked}}

    def _expressions(self, change: Change) -> dict[str, Any]:
        now = self.clock()
        return expressions(change, {"updated_at": now, "expires_at": int(now + self._retention_s)})


def _beyond_collisions(call: Callable[[], T]) -> T:
    backoff = Backoff(time.sleep, attempts=20, base_s=0.02, max_s=1)
    while True:
        try:
            return call()
        except _Collision as collision:
            if not backoff.failed():
                raise collision.error from None


def _raise_reasons(error: ClientError) -> None:
    reasons: list[Any] = error.response.get("CancellationReasons", [])
    refused = {
        position: plain(reason.get("Item", {}))
        for position, reason in enumerate(reasons)
        if reason.get("Code") == "ConditionalCheckFailed"
    }
    if refused:
        raise ConditionRefused(refused) from error
    if any(reason.get("Code") in _TRANSIENT for reason in reasons):
        raise _Collision(error) from error
    raise error
