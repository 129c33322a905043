"""A campaign's result: what `summary.json` holds, and the same for people."""

from dataclasses import asdict, dataclass
from typing import Any

from local.faults.verdict import Verdict

_MOST_FINDINGS = 30


@dataclass
class Result:
    """What `summary.json` holds."""

    ok: bool
    seed: int
    plan: str
    seconds: float
    faults: dict[str, int]
    verdict: Verdict
    drained: bool
    redriven: int
    tasks_ended: dict[str, int]
    skipped: list[str]
    stops: list[str]
    denied: list[str]

    def to_plain(self) -> dict[str, Any]:
        """One flat object: the verdict's counts stand beside the rest."""
        plain = asdict(self)
        return {**plain, **plain.pop("verdict")}


def report(result: Result) -> None:
    """Print it."""
    verdict = result.verdict
    print("\nfaults injected")
    for kind, count in result.faults.items():
        print(f"  {count:6} {kind}")
    for line in result.skipped:
        print(f"  skipped {line}")
    print("tasks ended:", ", ".join(f"{count} {how}" for how, count in result.tasks_ended.items()) or "none")
    print(f"messages sent {verdict.messages_sent}, redriven {result.redriven}, parked {verdict.parked}")
    print(f"objects expected {verdict.expected}, present {verdict.present}")
    for name in Verdict.BAD:
        print(f"{name.replace('_', ' '):24} {getattr(verdict, name)}")
    print(f"{'events repeated':24} {verdict.events_repeated} (same event id: at-least-once, not a fault)")
    print(
        f"{'objects written again':24} {verdict.objects_written_again} (the same bytes after an interruption)"
    )
    for line in [*result.denied, *result.stops]:
        print(f"note: {line}")
    for finding in verdict.findings[:_MOST_FINDINGS]:
        print(f"  {finding}")
    if len(verdict.findings) > _MOST_FINDINGS:
        print(f"  … and {len(verdict.findings) - _MOST_FINDINGS} more in summary.json")
    print(
        f"{'nothing lost, nothing done twice' if result.ok else 'FAILED'} in {result.seconds:g} s,", end=" "
    )
    print(f"seed {result.seed}")
