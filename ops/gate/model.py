"""The words of the gate: a finding about a change, and how findings are sorted."""

from dataclasses import dataclass
from enum import StrEnum


class GateError(Exception):
    """The gate cannot judge: a bad reference or a waiver file that it cannot read. Exit code 2."""


class ChangeKind(StrEnum):
    """The kinds of change; a waiver names one of the blocking ones."""

    STATEFUL_REMOVED = "stateful-removed"
    STATEFUL_REPLACED = "stateful-replaced"
    PROTECTION_WEAKENED = "protection-weakened"
    IAM_BROADENED = "iam-broadened"
    NETWORK_BROADENED = "network-broadened"
    PUBLIC_ACCESS = "public-access"
    SENT_ELSEWHERE = "sent-elsewhere"
    SECRET_IN_PLAIN = "secret-in-plain"  # noqa: S105 (the name of a finding)
    NEEDS_TWO_STEPS = "needs-two-steps"
    REPLACED = "replaced"
    REMOVED = "removed"
    ADDED = "added"
    CHANGED = "changed"

    @property
    def blocks(self) -> bool:
        return self not in (ChangeKind.REPLACED, ChangeKind.REMOVED, ChangeKind.ADDED, ChangeKind.CHANGED)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that a change does to one resource, in words for a reviewer."""

    environment: str
    stack: str
    resource: str
    resource_type: str
    kind: ChangeKind
    text: str
    details: tuple[str, ...] = ()


# The resource named by findings (and waivers) that are about a stack itself.
STACK_ITSELF = "(stack)"
