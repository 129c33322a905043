"""A guard: one property, and when a change of it is a finding."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ops.assembly.model import Json, Resource
from ops.gate.diff import difference
from ops.gate.model import ChangeKind, Finding
from ops.gate.rules.comparison import Comparison
from ops.gate.rules.values import Weaker, nodes

ANY_TYPE = ""
_UNJUDGED = object()


@dataclass(frozen=True, kw_only=True)
class Guard:
    """`path` is dotted, or a regular expression over dotted paths. `text` continues "«path» …".

    closed: what a resource that is closed says there. With it new resources are judged too, as if they had
    been closed before.
    """

    type: str = ANY_TYPE
    path: str
    weaker: Weaker
    text: str
    kind: ChangeKind = ChangeKind.PROTECTION_WEAKENED
    closed: Any = _UNJUDGED

    def watches(self, resource: Resource) -> bool:
        return self.type in (ANY_TYPE, resource.type)


def guarded(comparison: Comparison, guards: Iterable[Guard]) -> Iterator[Finding]:
    """A finding for each guard that the change weakens, or that a new resource leaves open."""
    for change in comparison.changes:
        if change.after is None:
            continue
        was = change.before.properties if change.before and change.before.type == change.after.type else None
        before, after = dict(nodes(was)) if was is not None else None, dict(nodes(change.after.properties))
        for guard in guards:
            if guard.watches(change.after):
                yield from _judged(comparison, change.after, guard, before, after)


def _judged(
    comparison: Comparison, resource: Resource, guard: Guard, before: Json | None, after: Json
) -> Iterator[Finding]:
    if before is None and guard.closed is _UNJUDGED:
        return
    for path in _paths(guard.path, before or {}, after):
        was = guard.closed if before is None else before.get(path)
        now = after.get(path)
        if was != now and guard.weaker(was, now):
            shown = None if before is None else was
            yield comparison.finding(
                resource, guard.kind, f"{path} {guard.text}", f"{path}: {difference(shown, now)}"
            )


def _paths(pattern: str, before: Json, after: Json) -> Iterator[str]:
    if re.fullmatch(r"[\w.]+", pattern):
        yield pattern
        return
    expression = re.compile(pattern)
    for path in dict.fromkeys([*before, *after]):
        if expression.fullmatch(path):
            yield path
