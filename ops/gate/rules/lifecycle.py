"""S3 lifecycle rules by what they do: which objects go, when, in whichever of its spellings a rule says so.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-s3-bucket-rule.html
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import Any

from ops.assembly.model import Json
from ops.assembly.tokens import text_of
from ops.gate.model import ChangeKind, Finding
from ops.gate.rules.comparison import Comparison

_DAY_S = 86_400
# Restoring takes hours; a reader of the object gets an error.
_ARCHIVES = ("GLACIER", "DEEP_ARCHIVE")
_SQS_LONGEST_S = 1_209_600
_DELETES, _DELETES_OLD, _GIVES_UP = "deletes", "deletes old versions", "gives up uploads"
_ARCHIVES_THEM, _ARCHIVES_OLD, _TIERS = "archives", "archives old versions", "archives what is not read"
_TEXTS = {
    _DELETES: "deletes objects earlier, or others",
    _DELETES_OLD: "deletes old versions earlier, or others",
    _GIVES_UP: "gives uploads up while their message may still resume them",
    _ARCHIVES_THEM: "archives objects: they cannot be read for hours",
    _ARCHIVES_OLD: "archives old versions: they cannot be read for hours",
    _TIERS: "archives objects by themselves: they cannot be read for hours",
}
_SCOPE = ("TagFilters", "ObjectSizeGreaterThan", "ObjectSizeLessThan")


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One thing that a rule does. `days` is a number, or text for a date or what nobody knows before."""

    does: str
    prefix: str
    filters: tuple[str, ...]
    days: float | str
    keeps: float = 0

    def covers(self, other: "Effect") -> bool:
        """Whatever `other` does, this does too, and no later."""
        return (
            self.does == other.does
            and other.prefix.startswith(self.prefix)
            and set(self.filters) <= set(other.filters)
            and self.keeps <= other.keeps
            and (self.days == other.days or _no_later(self.days, other.days))
        )

    def describe(self) -> str:
        when = f"after {self.days:g} days" if isinstance(self.days, float) else f"at {self.days}"
        what = f"{self.does} {when}" + (f", all but the {self.keeps:g} newest" if self.keeps else "")
        which = " ".join([self.prefix or "every object", *self.filters])
        return f"{what}, of {which}"


def lifecycle_findings(comparison: Comparison) -> Iterator[Finding]:
    """Objects deleted or archived that were not, or sooner; uploads given up while they may resume."""
    resume_days = _longest_resume_days(comparison)
    for before, after in comparison.kept("AWS::S3::Bucket"):
        old = list(_effects(before.properties))
        for effect in _effects(after.properties):
            resumable = not isinstance(effect.days, float) or effect.days <= resume_days
            if any(was.covers(effect) for was in old) or (effect.does == _GIVES_UP and not resumable):
                continue
            yield comparison.finding(
                after,
                ChangeKind.PROTECTION_WEAKENED,
                f"LifecycleConfiguration {_TEXTS[effect.does]}",
                f"now: {effect.describe()}",
                *(f"before: {was.describe()}" for was in old if was.does == effect.does),
            )


def _effects(properties: Json) -> Iterator[Effect]:
    for tiering in _items(properties.get("IntelligentTieringConfigurations")):
        for tier in _items(tiering.get("Tierings")):
            if text_of(tiering.get("Status", "Enabled")) != "Disabled":
                yield _effect(tiering, _TIERS, tier.get("Days"))
    configuration = properties.get("LifecycleConfiguration") or {}
    for rule in _items(configuration.get("Rules")):
        if text_of(rule.get("Status")) != "Disabled":
            yield from _rule(rule)


def _rule(rule: Json) -> Iterator[Effect]:
    for name in ("ExpirationInDays", "ExpirationDate"):
        if name in rule:
            yield _effect(rule, _DELETES, rule[name])
    if "NoncurrentVersionExpirationInDays" in rule:
        yield _effect(rule, _DELETES_OLD, rule["NoncurrentVersionExpirationInDays"])
    if expiry := rule.get("NoncurrentVersionExpiration"):
        keeps = _days(expiry.get("NewerNoncurrentVersions", 0))
        yield _effect(rule, _DELETES_OLD, expiry.get("NoncurrentDays"), keeps)
    if abort := rule.get("AbortIncompleteMultipartUpload"):
        yield _effect(rule, _GIVES_UP, abort.get("DaysAfterInitiation"))
    for name, does in (("Transition", _ARCHIVES_THEM), ("NoncurrentVersionTransition", _ARCHIVES_OLD)):
        for move in [*_items(rule.get(name)), *_items(rule.get(f"{name}s"))]:
            if text_of(move.get("StorageClass")) in _ARCHIVES:
                when = next((move[key] for key in ("TransitionInDays", "TransitionDate") if key in move), 0)
                yield _effect(rule, does, when)


def _effect(rule: Json, does: str, when: Any, keeps: float | str = 0) -> Effect:
    return Effect(
        does=does,
        prefix=text_of(rule.get("Prefix") or ""),
        filters=tuple(f"{name}={text_of(rule[name])}" for name in _SCOPE if name in rule),
        days=_days(when),
        keeps=keeps if isinstance(keeps, float) else 0,
    )


def _days(value: Any) -> float | str:
    try:
        return float(value)
    except (TypeError, ValueError):
        return text_of(value)


def _no_later(one: float | str, other: float | str) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return one <= other
    # ISO dates order like their text; a date and a number of days cannot be compared.
    return isinstance(one, str) and isinstance(other, str) and "$" not in one + other and one <= other


def _items(value: Any) -> list[Json]:
    listed = value if isinstance(value, list) else [value]
    return [item for item in listed if isinstance(item, dict)]


def _longest_resume_days(comparison: Comparison) -> float:
    """How long the environment's queues keep a message, which is how long it may resume its uploads."""
    kept = [
        _days(queue.properties.get("MessageRetentionPeriod", 345_600))
        for stack in comparison.neighbours_after.values()
        for queue in stack.of_type("AWS::SQS::Queue")
    ]
    known = [seconds for seconds in kept if isinstance(seconds, float)]
    return max(known, default=_SQS_LONGEST_S) / _DAY_S if len(known) == len(kept) else inf
