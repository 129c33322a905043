"""Read access to the resources of one environment, and to what their references name."""

from collections.abc import Iterator
from typing import Any

from ops.assembly.load import Assembly
from ops.assembly.model import Resource, Stack
from ops.assembly.tokens import text_of

# (stack, logical id)
Place = tuple[str, str]


class Templates:
    """Every resource of an environment, in order of stack and template."""

    def __init__(self, assembly: Assembly, environment: str) -> None:
        self.stacks = [stack for key, stack in sorted(assembly.items()) if key[0] == environment]

    def every(self, *types: str) -> Iterator[tuple[Stack, Resource]]:
        for stack in self.stacks:
            for resource in stack.resources.values():
                if resource.type in types:
                    yield stack, resource

    def resolve(self, stack: Stack, value: Any) -> Place | str:
        """The (stack, logical id) that a value refers to; its text when to none."""
        if isinstance(value, dict):
            if "Fn::Join" in value:
                # An ARN with something appended, like a key prefix: the reference is in front.
                return self.resolve(stack, value["Fn::Join"][1][0])
            target = value.get("Ref") or next(iter(value.get("Fn::GetAtt", [])), "")
            if target in stack.resources:
                return stack.name, target
            owner, found, name = target.rpartition("/")
            if found:
                return owner, name
        return text_of(value)
