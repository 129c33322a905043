"""The words of the gate: a stack as synthesized, a finding about a change, and how findings are sorted."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Json = dict[str, Any]


class GateError(Exception):
    """The gate cannot judge: a bad reference, a synth that failed, a file it cannot read. Exit code 2."""


class Kind(StrEnum):
    """What a change does; a waiver names one of the blocking kinds."""

    STATEFUL_REMOVED = "stateful-removed"
    STATEFUL_REPLACED = "stateful-replaced"
    PROTECTION_WEAKENED = "protection-weakened"
    IAM_BROADENED = "iam-broadened"
    NETWORK_BROADENED = "network-broadened"
    PUBLIC_ACCESS = "public-access"
    REPLACED = "replaced"
    REMOVED = "removed"
    ADDED = "added"
    CHANGED = "changed"

    @property
    def blocks(self) -> bool:
        return self not in (Kind.REPLACED, Kind.REMOVED, Kind.ADDED, Kind.CHANGED)


@dataclass(frozen=True)
class Resource:
    """One resource of a template, with what the gate reads of it."""

    logical_id: str
    type: str
    properties: Json
    deletion_policy: str | None = None
    update_replace_policy: str | None = None
    condition: str | None = None


@dataclass(frozen=True)
class Stack:
    """One synthesized stack. `environment` is its stage, `name` its construct path below the stage."""

    environment: str
    name: str
    target: str
    termination_protection: bool
    resources: dict[str, Resource]
    template: Json

    @property
    def key(self) -> tuple[str, str]:
        return self.environment, self.name


@dataclass(frozen=True)
class Finding:
    """One thing that a change does to one resource, in words for a reviewer."""

    environment: str
    stack: str
    resource: str
    resource_type: str
    kind: Kind
    text: str
    details: tuple[str, ...] = ()


# The resource named by findings (and waivers) that are about a stack itself.
STACK_ITSELF = "(stack)"
