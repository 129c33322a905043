"""DynamoDB's atomicity, which moto does not have: writes one by one, checked before they write.

moto checks a condition and writes in two steps that other requests' threads can come between, and undoes a
failed transaction by putting back a copy of the whole table, with it undoing what others wrote meanwhile.
Conditional writes are what the ledger stands on, so here they are as indivisible as in the real service.
"""

import threading
from typing import Any

from moto.dynamodb.comparisons import get_filter_expression
from moto.dynamodb.exceptions import (
    ConditionalCheckFailed,
    MultipleTransactionsException,
    TransactionCanceledException,
)
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.responses import DynamoHandler

_lock = threading.Lock()


def install() -> None:
    """Replace moto's dispatch and its transactions; call once, before the server starts."""
    dispatch = DynamoHandler.call_action

    def one_at_a_time(self: DynamoHandler) -> Any:
        with _lock:
            return dispatch(self)

    DynamoHandler.call_action = one_at_a_time  # type: ignore[method-assign]
    DynamoDBBackend.transact_write_items = _transact  # type: ignore[method-assign]


def _transact(self: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
    operations = [next(iter(item.items())) for item in transact_items]
    keys = [
        (operation["TableName"], str(sorted(_key(self, kind, operation).items())))
        for kind, operation in operations
    ]
    if len(set(keys)) < len(keys):
        raise MultipleTransactionsException
    verdicts = [_verdict(self, kind, operation) for kind, operation in operations]
    if any(code for code, _, _ in verdicts):
        raise TransactionCanceledException(verdicts)
    for kind, operation in operations:
        expressions = {
            "expression_attribute_names": operation.get("ExpressionAttributeNames", {}),
            "expression_attribute_values": operation.get("ExpressionAttributeValues", {}),
        }
        table = operation["TableName"]
        match kind:
            case "Put":
                self.put_item(table, operation["Item"])
            case "Delete":
                self.delete_item(table, operation["Key"])
            case "Update":
                self.update_item(
                    table, operation["Key"], update_expression=operation["UpdateExpression"], **expressions
                )


def _key(self: DynamoDBBackend, kind: str, operation: dict[str, Any]) -> dict[str, Any]:
    if kind != "Put":
        return dict(operation["Key"])
    table = self.get_table(operation["TableName"])
    names = [table.hash_key_attr, *([table.range_key_attr] if table.range_key_attr else [])]
    return {name: operation["Item"][name] for name in names}


def _verdict(self: DynamoDBBackend, kind: str, operation: dict[str, Any]) -> tuple[Any, Any, Any]:
    condition = operation.get("ConditionExpression")
    if condition is None:
        return None, None, None
    current = self.get_item(operation["TableName"], _key(self, kind, operation))
    expression = get_filter_expression(
        condition, operation.get("ExpressionAttributeNames"), operation.get("ExpressionAttributeValues")
    )
    if expression.expr(current):
        return None, None, None
    wanted = operation.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and current is not None
    item = current.to_json()["Attributes"] if wanted and current is not None else None
    return "ConditionalCheckFailed", ConditionalCheckFailed().message, item
