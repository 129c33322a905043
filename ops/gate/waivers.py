"""The waiver file: changes that are meant, each named, reasoned and dated.

A waiver counts for the change that brings it. One that the base already had has done its work: it waives
nothing again (a second such change must be meant again), is reported for removal, and fails once expired.
"""

import tomllib
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from ops.gate.model import ChangeKind, Finding, GateError

LONGEST = timedelta(days=90)
_Name = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class Waiver(BaseModel):
    """One [[waiver]] table. It matches findings by environment, stack, resource (logical id) and kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    environments: Annotated[tuple[_Name, ...], Field(min_length=1)]
    stack: _Name
    resources: Annotated[tuple[_Name, ...], Field(min_length=1)]
    kind: ChangeKind
    reason: Annotated[str, StringConstraints(min_length=20, strip_whitespace=True)]
    expires: date

    @field_validator("kind")
    @classmethod
    def _blocks(cls, kind: ChangeKind) -> ChangeKind:
        if not kind.blocks:
            raise ValueError(f"{kind} blocks nothing, so it needs no waiver")
        return kind

    def matches(self, finding: Finding) -> bool:
        return (
            finding.kind is self.kind
            and finding.environment in self.environments
            and finding.stack == self.stack
            and finding.resource in self.resources
        )

    def __str__(self) -> str:
        return f"{self.kind} of {', '.join(self.resources)} in {'/'.join(self.environments)} {self.stack}"


@dataclass(frozen=True)
class WaivedFindings:
    """The findings after the waivers: blocked ones, waived ones with their waiver, and faults of the file."""

    blocked: tuple[Finding, ...]
    waived: tuple[tuple[Finding, Waiver], ...]
    faults: tuple[str, ...]
    spent: tuple[Waiver, ...]

    @property
    def passes(self) -> bool:
        return not self.blocked and not self.faults


def read_waivers(path: Path) -> list[Waiver]:
    """The waivers of a file; none when it does not exist. Raises GateError that names the waiver at fault."""
    if not path.exists():
        return []
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise GateError(f"{path.name} is not TOML: {error}") from error
    if unknown := document.keys() - {"waiver"}:
        raise GateError(f"{path.name}: only [[waiver]] tables are known, not {', '.join(sorted(unknown))}")
    waivers = []
    for number, body in enumerate(document.get("waiver", []), start=1):
        try:
            waivers.append(Waiver.model_validate(body))
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise GateError(f"{path.name}: waiver {number}: {faults}") from error
    return waivers


def apply_waivers(
    findings: list[Finding], waivers: list[Waiver], inherited: list[Waiver], today: date
) -> WaivedFindings:
    """Sort the blocking findings by the waivers. `inherited` are those that the base already had."""
    spent = tuple(waiver for waiver in waivers if waiver in inherited)
    fresh = [waiver for waiver in waivers if waiver not in inherited]
    usable = [waiver for waiver in fresh if today <= waiver.expires <= today + LONGEST]
    blocking = [finding for finding in findings if finding.kind.blocks]
    waived, blocked = [], []
    for finding in blocking:
        waiver = next((waiver for waiver in usable if waiver.matches(finding)), None)
        if waiver is None:
            blocked.append(finding)
        else:
            waived.append((finding, waiver))
    faults = [_expired(waiver) for waiver in waivers if waiver.expires < today]
    faults += [
        f"the waiver for {waiver} runs until {waiver.expires}: {LONGEST.days} days from today are the most"
        for waiver in fresh
        if waiver.expires > today + LONGEST
    ]
    faults += [fault for waiver in usable for fault in _unmatched(waiver, findings)]
    return WaivedFindings(
        tuple(blocked), tuple(waived), tuple(faults), tuple(w for w in spent if w.expires >= today)
    )


def _expired(waiver: Waiver) -> str:
    return f"the waiver for {waiver} expired on {waiver.expires}: remove it, or agree on a new date"


def _unmatched(waiver: Waiver, findings: list[Finding]) -> list[str]:
    """A sentence for each name in the waiver that no finding bears out."""
    matched = [finding for finding in findings if waiver.matches(finding)]
    if not matched:
        return [f"the waiver for {waiver} matches no change: remove it or correct its names"]
    loose = [name for name in waiver.resources if name not in {f.resource for f in matched}]
    loose += [name for name in waiver.environments if name not in {f.environment for f in matched}]
    return [f"the waiver for {waiver} also names {name}, which no such change concerns" for name in loose]
