"""A stack as synthesized, and its resources."""

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


class AssemblyError(RuntimeError):
    """The app does not synthesize, or what it left cannot be read; the text is for people."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource of a template. In its properties asset hashes are left out and imports are resolved."""

    logical_id: str
    type: str
    properties: Json
    deletion_policy: str | None = None
    update_replace_policy: str | None = None
    condition: str | None = None


@dataclass(frozen=True, kw_only=True)
class Stack:
    """One synthesized stack.

    environment: its stage. name: its construct path below the stage. stack_name: what CloudFormation calls
    it. artifact: its id in the assembly, by which `dependencies` name the stacks that come before it.
    target: `aws://account/region`. template: exactly as synthesized. notes: what the app says about the stack
    beside its template, by type (the CDK's construct metadata).
    """

    environment: str
    name: str
    stack_name: str
    artifact: str
    dependencies: tuple[str, ...]
    target: str
    termination_protection: bool
    resources: dict[str, Resource]
    template: Json
    notes: Json = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        return self.environment, self.name

    @property
    def account(self) -> str:
        return self.target.removeprefix("aws://").partition("/")[0]

    @property
    def region(self) -> str:
        return self.target.removeprefix("aws://").partition("/")[2]

    def of_type(self, *types: str) -> list[Resource]:
        """The resources of these types, in the template's order."""
        return [resource for resource in self.resources.values() if resource.type in types]
