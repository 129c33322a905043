"""Conditional writes on the ledger table, as values: one `Change` is one item's update and its condition.

Promises: a refused condition surfaces with the item that refused it; two transactions that merely collide are
tried again here; every write renews the item's expiry.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from boto3.dynamodb.conditions import Attr, ConditionBase, ConditionExpressionBuilder
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from ..backoff import Backoff

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
T = TypeVar("T")

PARTITION, SORT = "export_job_id", "item"
MAX_TRANSACTION = 100
_TRANSIENT = frozenset(
    ("TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "RequestLimitExceeded")
)


class Refused(Exception):
    """A condition did not hold; `items` is what stood in the table, by the position of the change (None: it
    held).
    """

    def __init__(self, items: Mapping[int, Item]) -> None:
        super().__init__("a condition on the ledger did not hold")
        self.items = items


class _Collision(Exception):
    """Two transactions touched one item; neither is wrong."""

    def __init__(self, error: ClientError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True)
class Change:
    """One item's update. `defaults` are set only where absent; an empty change with a condition is a
    check.
    """

    job: str
    key: str
    set: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    add: Mapping[str, int] = field(default_factory=dict)
    remove: Sequence[str] = ()
    when: ConditionBase | None = None


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
        answer = self._client.get_item(TableName=self._name, Key=_key(job, key), ConsistentRead=True)
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
        """Apply one change and return the item as it is afterwards. Raises Refused."""
        return _beyond_collisions(lambda: self._update(change))

    def transact(self, changes: Sequence[Change]) -> None:
        """Apply all changes or none. Raises Refused."""
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
                raise Refused({0: plain(refusing)}) from error
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
        expressions = self._expressions(change)
        kind = "Update" if "UpdateExpression" in expressions else "ConditionCheck"
        return {
            kind: {"TableName": self._name, "ReturnValuesOnConditionCheckFailure": "ALL_OLD", **expressions}
        }

    def _expressions(self, change: Change) -> dict[str, Any]:
        names: dict[str, str] = {}
        values: dict[str, Any] = {}

        def name(attribute: str) -> str:
            return names.setdefault(attribute, f"#u{len(names)}")

        def value(raw: Any) -> str:
            placeholder = f":u{len(values)}"
            values[placeholder] = raw
            return placeholder

        clauses: list[str] = []
        if change.set or change.defaults or change.add or change.remove:
            now = self.clock()
            stamped = {**change.set, "updated_at": now, "expires_at": int(now + self._retention_s)}
            sets = [f"{name(attribute)} = {value(raw)}" for attribute, raw in stamped.items()]
            sets += [
                f"{name(attribute)} = if_not_exists({name(attribute)}, {value(raw)})"
                for attribute, raw in change.defaults.items()
            ]
            clauses.append("SET " + ", ".join(sets))
        if change.add:
            clauses.append(
                "ADD " + ", ".join(f"{name(attribute)} {value(n)}" for attribute, n in change.add.items())
            )
        if change.remove:
            clauses.append("REMOVE " + ", ".join(name(attribute) for attribute in change.remove))

        expressions: dict[str, Any] = {"Key": _key(change.job, change.key)}
        if clauses:
            expressions["UpdateExpression"] = " ".join(clauses)
        placeholders = {placeholder: attribute for attribute, placeholder in names.items()}
        if change.when is not None:
            built = ConditionExpressionBuilder().build_expression(change.when)
            expressions["ConditionExpression"] = built.condition_expression
            placeholders |= built.attribute_name_placeholders
            values |= built.attribute_value_placeholders
        if placeholders:
            expressions["ExpressionAttributeNames"] = placeholders
        if values:
            expressions["ExpressionAttributeValues"] = {k: _typed(v) for k, v in values.items()}
        return expressions


def absent_or(attribute: str, value: Any) -> ConditionBase:
    """The attribute still has the value that was read, where None means that it was absent."""
    return Attr(attribute).not_exists() if value is None else Attr(attribute).eq(value)


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
        raise Refused(refused) from error
    if any(reason.get("Code") in _TRANSIENT for reason in reasons):
        raise _Collision(error) from error
    raise error


_serialise, _deserialise = TypeSerializer().serialize, TypeDeserializer().deserialize


def _typed(value: Any) -> Any:
    return _serialise(_decimal(value))


def _decimal(value: Any) -> Any:
    if isinstance(value, float):
        return Decimal(repr(round(value, 3)))
    if isinstance(value, Mapping):
        return {key: _decimal(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_decimal(item) for item in value]
    return value


def plain(item: Mapping[str, Any]) -> Item:
    """An item of DynamoDB's as plain values."""
    return {name: _undecimal(_deserialise(value)) for name, value in item.items()}


def _undecimal(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {key: _undecimal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_undecimal(item) for item in value]
    return value


def _key(job: str, key: str) -> dict[str, Any]:
    return {PARTITION: {"S": job}, SORT: {"S": key}}
