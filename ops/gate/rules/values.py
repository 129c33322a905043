"""Single values before and after a change, and the ways in which one can be weaker than the other.

None stands for an absent value. What only a deployment knows (an intrinsic) is taken for strong before and
weak after, so that swapping a plain value for one that nobody can read is never silent.
"""

import json
from collections.abc import Callable, Iterator
from math import inf
from typing import Any

from ops.assembly.tokens import text_of

# Is the second weaker than the first?
Weaker = Callable[[Any, Any], bool]

_ON = ("true", "enabled")
_OFF = ("false", "disabled", "none", "suspended")
_NO_VALUE = {"Ref": "AWS::NoValue"}
# What names an item of a list, so that it is compared with its namesake and not with its neighbour.
_NAMES = (
    "Name",
    "IndexName",
    "Id",
    "ID",
    "Key",
    "Region",
    "Sid",
    "ContainerName",
    "AttributeName",
    "CapacityProvider",
)


def nodes(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """(dotted path, value) of everything below `value`; an intrinsic is one value, a JSON text is read."""
    if path:
        yield ".".join(path), value
    for key, item in _children(value):
        if item != _NO_VALUE:
            yield from nodes(item, (*path, key))


def is_intrinsic(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::"))


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except ValueError:
            return
    if isinstance(value, dict) and not is_intrinsic(value):
        yield from value.items()
    elif isinstance(value, list):
        seen: set[str] = set()
        for index, item in enumerate(value):
            name = _name(item)
            key = name if name and name not in seen else f"[{index}]"
            seen.add(key)
            yield key, item


def _name(item: Any) -> str:
    """An item's own name, or its text if it is all text; the dots that separate a path's parts left out."""
    if isinstance(item, dict) and not is_intrinsic(item):
        return next((text_of(item[key]) for key in _NAMES if key in item), "").replace(".", "_")
    return "" if isinstance(item, list) else text_of(item).replace(".", "_")


def switched_off(before: Any, after: Any) -> bool:
    return _is_on(before, unknown=True) and not _is_on(after, unknown=False)


def switched_on(before: Any, after: Any) -> bool:
    return _is_off(before, unknown=False) and not _is_off(after, unknown=False)


def turned_false(before: Any, after: Any) -> bool:
    """For what is on unless it says otherwise."""
    return (before is None or _is_on(before, unknown=True)) and not (
        after is None or _is_on(after, unknown=False)
    )


def appeared(before: Any, after: Any) -> bool:
    return before is None and after is not None


def removed(before: Any, after: Any) -> bool:
    return before is not None and after is None


def altered(before: Any, after: Any) -> bool:
    """Whether a value that was there is gone or is another."""
    return before is not None and text_of(before) != (after if after is None else text_of(after))


def different(before: Any, after: Any) -> bool:
    return (before is None) != (after is None) or text_of(before) != text_of(after)


def lowered(absent: float) -> Weaker:
    """A smaller number than before; `absent` is what counts when there is none."""
    return lambda before, after: _number(after, absent, unknown=-inf) < _number(before, absent, unknown=inf)


def raised(absent: float) -> Weaker:
    return lambda before, after: _number(after, absent, unknown=inf) > _number(before, absent, unknown=-inf)


def tenfold(before: Any, after: Any) -> bool:
    """More than ten times what it was: no tuning, but the end of what the number is for."""
    was = _number(before, inf, unknown=inf)
    return _number(after, inf, unknown=inf) > 10 * was


def outside(least: float, most: float, absent: float) -> Weaker:
    """Out of bounds, or further out than it was."""

    def distance(number: float) -> float:
        return max(least - number, number - most, 0)

    return lambda before, after: (
        distance(_number(after, absent, unknown=inf)) > distance(_number(before, absent, unknown=least))
    )


def ranked(*weakest_first: str, absent_before: str = "", absent_after: str = "") -> Weaker:
    """Lower in this order. A value that is not in it ranks below all."""

    def rank(value: Any, absent: str) -> int:
        text = absent if value is None else text_of(value)
        return weakest_first.index(text) if text in weakest_first else -1

    return lambda before, after: rank(after, absent_after) < rank(before, absent_before)


def only(*closed: str) -> Weaker:
    """Left the closed values (an absent one is closed)."""

    def is_closed(value: Any) -> bool:
        return value is None or text_of(value) in closed

    return lambda before, after: is_closed(before) and not is_closed(after)


def _is_on(value: Any, *, unknown: bool) -> bool:
    return unknown if is_intrinsic(value) else str(value).lower() in _ON


def _is_off(value: Any, *, unknown: bool) -> bool:
    return unknown if is_intrinsic(value) else value is None or str(value).lower() in _OFF


def _number(value: Any, absent: float, *, unknown: float) -> float:
    if value is None:
        return absent
    try:
        return float(value)
    except (TypeError, ValueError):
        return unknown
