"""The change to each resource of a stack: added, removed, changed in place, or replaced and why."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from ops.assembly.model import Resource, Stack
from ops.assembly.tokens import references, text_of
from ops.gate.schemas import replacing_properties

# Values longer than this are shown without what is the same at both ends, but for some context.
_LONG = 160
_CONTEXT = 40


class Replacement(IntEnum):
    NO = 0
    MAYBE = 1
    YES = 2


@dataclass(frozen=True, kw_only=True)
class ResourceChange:
    """One changed resource. `before` is None when it is new, `after` when it is gone."""

    before: Resource | None
    after: Resource | None
    properties: tuple[str, ...] = ()
    replacement: Replacement = Replacement.NO
    because: tuple[str, ...] = ()

    @property
    def resource(self) -> Resource:
        resource = self.after or self.before
        assert resource is not None
        return resource


def diff_stacks(before: Stack | None, after: Stack | None) -> list[ResourceChange]:
    """Every changed resource in order of logical id. A missing stack counts as an empty one."""
    old = before.resources if before else {}
    new = after.resources if after else {}
    replaced = _replaced(old, new)
    changes = []
    for logical_id in sorted(old.keys() | new.keys()):
        was, now = old.get(logical_id), new.get(logical_id)
        if was is None or now is None or was.type != now.type:
            changes.append(ResourceChange(before=was, after=now))
        elif was != now or logical_id in replaced:
            replacement, because = replaced.get(logical_id, (Replacement.NO, ()))
            properties = tuple(_lines(was.properties, now.properties, ""))
            changes.append(
                ResourceChange(
                    before=was, after=now, properties=properties, replacement=replacement, because=because
                )
            )
    return changes


def _replaced(
    old: dict[str, Resource], new: dict[str, Resource]
) -> dict[str, tuple[Replacement, tuple[str, ...]]]:
    """Logical id → whether and why, followed along references: what must name a new id is new itself."""
    found: dict[str, tuple[Replacement, tuple[str, ...]]] = {}
    both = [name for name in new if name in old and old[name].type == new[name].type]
    for name in both:
        verdict = _own_replacement(old[name], new[name])
        if verdict[0]:
            found[name] = verdict
    while True:
        follow = {
            name: (found[cause][0], (f"{pointer} refers to {cause}, which is replaced",))
            for name in both
            if name not in found
            for pointer, cause in _create_only_references(new[name])
            if cause in found
        }
        if not follow:
            return found
        found |= follow


def _own_replacement(was: Resource, now: Resource) -> tuple[Replacement, tuple[str, ...]]:
    rules = replacing_properties(now.type)
    if not rules.known and was.properties != now.properties:
        return Replacement.MAYBE, (f"no schema of {now.type} says what can change in place",)
    for replacement, pointers in ((Replacement.YES, rules.always), (Replacement.MAYBE, rules.sometimes)):
        because = tuple(
            ".".join(pointer)
            for pointer in pointers
            if _at(was.properties, pointer) != _at(now.properties, pointer)
        )
        if because:
            return replacement, because
    return Replacement.NO, ()


def _create_only_references(resource: Resource) -> Iterator[tuple[str, str]]:
    for pointer in replacing_properties(resource.type).always:
        for value in _at(resource.properties, pointer):
            for name in references(value):
                yield ".".join(pointer), name


def _at(value: Any, pointer: tuple[str, ...]) -> list[Any]:
    """Every value that the pointer reaches; an intrinsic on the way stands for all below it."""
    if not pointer:
        return [value]
    head, rest = pointer[0], pointer[1:]
    if isinstance(value, list):
        return [found for item in value for found in _at(item, rest if head == "*" else pointer)]
    if isinstance(value, dict):
        if head in value:
            return _at(value[head], rest)
        if any(key == "Ref" or key.startswith("Fn::") for key in value):
            return [value]
    return []


def _lines(was: Any, now: Any, path: str) -> Iterator[str]:
    """`path: before → after` for every leaf that differs."""
    if was == now:
        return
    if isinstance(was, dict) and isinstance(now, dict) and not _is_intrinsic(was) and not _is_intrinsic(now):
        for key in sorted(was.keys() | now.keys()):
            yield from _lines(was.get(key), now.get(key), f"{path}.{key}" if path else key)
    elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for index, (left, right) in enumerate(zip(was, now, strict=True)):
            yield from _lines(left, right, f"{path}[{index}]")
    else:
        yield f"{path}: {difference(was, now)}"


def _is_intrinsic(value: dict[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::"))


def difference(was: Any, now: Any) -> str:
    """`before → after`. Of long values what is the same at both ends is left out, never what differs."""
    before, after = ("(absent)" if value is None else text_of(value) for value in (was, now))
    if max(len(before), len(after)) <= _LONG:
        return f"{before} → {after}"
    head = _shared(before, after)
    tail = min(_shared(before[::-1], after[::-1]), len(before) - head, len(after) - head)
    first, last = max(head - _CONTEXT, 0), max(tail - _CONTEXT, 0)

    def middle(text: str) -> str:
        return ("…" if first else "") + text[first : len(text) - last] + ("…" if last else "")

    return f"{middle(before)} → {middle(after)}"


def _shared(one: str, other: str) -> int:
    """How many characters both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (left, right) in pairs if left != right), min(len(one), len(other)))
