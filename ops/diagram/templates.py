"""The stacks of one environment with the references between them resolved."""

from collections.abc import Iterator
from typing import Any

from ops.gate.load import Assembly
from ops.gate.model import Resource, Stack
from ops.gate.tokens import text_of

# (stack, logical id)
Place = tuple[str, str]


class Templates:
    """Read access to every resource of an environment, in order of stack and template."""

    def __init__(self, assembly: Assembly, environment: str) -> None:
        self.stacks = [stack for key, stack in sorted(assembly.items()) if key[0] == environment]
        self._exports: dict[str, tuple[Stack, Any]] = {}
        for stack in self.stacks:
            for output in stack.template.get("Outputs", {}).values():
                if "Export" in output:
                    self._exports[text_of(output["Export"]["Name"])] = (stack, output["Value"])

    def every(self, *types: str) -> Iterator[tuple[Stack, Resource]]:
        for stack in self.stacks:
            for resource in stack.resources.values():
                if resource.type in types:
                    yield stack, resource

    def resolve(self, stack: Stack, value: Any) -> Place | str:
        """The (stack, logical id) that a value refers to, through imports; its text when to none."""
        if isinstance(value, dict):
            if "Fn::ImportValue" in value and (name := text_of(value["Fn::ImportValue"])) in self._exports:
                return self.resolve(*self._exports[name])
            if "Fn::Join" in value:
                # An ARN with something appended, like a key prefix: the reference is in front.
                return self.resolve(stack, value["Fn::Join"][1][0])
            target = value.get("Ref") or next(iter(value.get("Fn::GetAtt", [])), None)
            if target in stack.resources:
                return stack.name, target
        return text_of(value)
