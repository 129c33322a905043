"""DynamoDB's typed values and ours.

An item's every attribute goes through here, so the common kinds go straight.
"""

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

_serialise: Callable[[Any], Any] = TypeSerializer().serialize
_deserialise: Callable[[Any], Any] = TypeDeserializer().deserialize


def typed(value: Any) -> Any:
    """A value as DynamoDB takes it; fractions are kept to the millisecond. Raises TypeError."""
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, float):
        if not math.isfinite(value):
            raise TypeError(f"DynamoDB has no number {value}")
        return {"N": repr(round(value, 3))}
    if isinstance(value, Mapping):
        return {"M": {name: typed(item) for name, item in value.items()}}
    if isinstance(value, (list, tuple)):
        return {"L": [typed(item) for item in value]}
    return _serialise(value)


def plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item as DynamoDB returns it, in Python's own types."""
    return {name: _plain(value) for name, value in item.items()}


def _plain(value: Mapping[str, Any]) -> Any:
    ((kind, raw),) = value.items()
    match kind:
        case "S" | "BOOL" | "B":
            return raw
        case "N":
            return _number(raw)
        case "M":
            return plain(raw)
        case "L":
            return [_plain(item) for item in raw]
    return _deserialise(value)


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        number = Decimal(text)
        return int(number) if number == number.to_integral_value() else float(number)
