"""A rule's input: one stack before and after, what changed in it, and the environment around it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from ops.assembly.model import Resource, Stack
from ops.gate.diff import ResourceChange, diff_stacks
from ops.gate.model import ChangeKind, Finding


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """`before` is None for a new stack. The neighbours are all stacks of the environment, by name."""

    before: Stack | None
    after: Stack
    neighbours_before: dict[str, Stack]
    neighbours_after: dict[str, Stack]

    @cached_property
    def changes(self) -> list[ResourceChange]:
        return diff_stacks(self.before, self.after)

    def kept(self, *types: str) -> Iterator[tuple[Resource, Resource]]:
        """(before, after) of each changed resource that stays; of these types, or of all."""
        for change in self.changes:
            before, after = change.before, change.after
            if before and after and before.type == after.type and (not types or after.type in types):
                yield before, after

    def gone(self, *types: str) -> Iterator[Resource]:
        for change in self.changes:
            was, now = change.before, change.after
            if was and (now is None or now.type != was.type) and was.type in types:
                yield was

    def new(self, *types: str) -> Iterator[Resource]:
        for change in self.changes:
            was, now = change.before, change.after
            if now and (was is None or now.type != was.type) and now.type in types:
                yield now

    def finding(self, resource: Resource, kind: ChangeKind, text: str, *details: str) -> Finding:
        return Finding(
            environment=self.after.environment,
            stack=self.after.name,
            resource=resource.logical_id,
            resource_type=resource.type,
            kind=kind,
            text=text,
            details=details,
        )


Rule = Callable[[Comparison], Iterator[Finding]]
