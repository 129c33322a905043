"""The state machine of one circuit, by itself: no clock, no store, no threads. A closed circuit is None.

    closed ──trip──▶ open ──probe, when due──▶ half-open ──succeeded──▶ closed
                      ▲                          │   ▲
                      └────────failed────────────┘   └── taken over, when its deadline has passed

Every step makes a new record from the one that was read, so that a store which swaps the old for the new, or
refuses, lets exactly one process take each step.
"""

import json
import uuid
from dataclasses import asdict, dataclass, replace
from typing import Literal

from .config import CircuitConfig

State = Literal["closed", "half-open", "open"]
SERVICE = "service"
"""The kind of circuit by which an operator stops a whole service's polling: `service:worker`."""
_BY_OPERATOR = "operator:"
_NEVER_DUE = 253_402_300_799.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitRecord:
    """A circuit that is not closed. Times are epoch seconds."""

    dependency: str
    opening: str
    """Tells this opening from every other: a step of an earlier one can never be taken for one of this."""
    state: Literal["half-open", "open"]
    since: float
    reason: str
    due_at: float
    """When an open circuit may be probed, or when a probe has had its time."""
    failed_probes: int = 0
    probe: str = ""
    """Names the probe that is under way."""

    def due(self, now: float) -> bool:
        """Whether a probe may begin: nobody has begun one, or whoever did is dead, frozen or too slow."""
        return now >= self.due_at

    @property
    def by_operator(self) -> bool:
        """Somebody holds it open by hand; it closes when they let go."""
        return self.opening.startswith(_BY_OPERATOR)

    def text(self) -> str:
        """As it is stored; the same record is always the same text."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def of(cls, text: str) -> "CircuitRecord | None":
        """None for what another version of the service wrote: closed, as far as this one can tell."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            return None


def tripped(dependency: str, reason: str, now: float, config: CircuitConfig) -> CircuitRecord:
    """From closed to open."""
    return CircuitRecord(
        dependency=dependency,
        opening=uuid.uuid4().hex,
        state="open",
        since=round(now, 3),
        reason=reason,
        due_at=round(now + config.reset_s, 3),
    )


def held(dependency: str, reason: str, now: float) -> CircuitRecord:
    """From any state to open, by an operator's hand: no probe is ever due."""
    return CircuitRecord(
        dependency=dependency,
        opening=f"{_BY_OPERATOR}{uuid.uuid4().hex}",
        state="open",
        since=round(now, 3),
        reason=reason,
        due_at=_NEVER_DUE,
    )


def probing(record: CircuitRecord, now: float, config: CircuitConfig) -> CircuitRecord:
    """From open, or from half-open whose deadline has passed, to half-open."""
    # A probe that never reported counts as failed.
    lost = record.state == "half-open"
    return replace(
        record,
        state="half-open",
        # Two probes by two processes must differ even when they begin at the same moment, or the report of
        # one would be taken for the other's.
        probe=uuid.uuid4().hex,
        due_at=round(now + config.probe_deadline_s, 3),
        failed_probes=record.failed_probes + lost,
    )


def reopened(record: CircuitRecord, reason: str, now: float, config: CircuitConfig) -> CircuitRecord:
    """From half-open to open."""
    return replace(
        record,
        state="open",
        reason=reason,
        probe="",
        due_at=round(now + config.reset_s, 3),
        failed_probes=record.failed_probes + 1,
    )
