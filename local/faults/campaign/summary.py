"""A campaign's result: what `summary.json` holds, and the same for people."""

from dataclasses import asdict, dataclass
from typing import Any

from local.faults.judge.judgement import Judgement

_MOST_FINDINGS = 30


@dataclass(kw_only=True)
class Result:
    """The fields of `summary.json`."""

    ok: bool
    seed: int
    plan: str
    seconds: float
    faults: dict[str, int]
    judgement: Judgement
    drained: bool
    redriven: int
    tasks_ended: dict[str, int]
    skipped: list[str]
    stops: list[str]
    denied: list[str]

    def to_plain(self) -> dict[str, Any]:
        """One flat object: the judgement's counts stand beside the rest."""
        plain = asdict(self)
        return {**plain, **plain.pop("judgement")}


def report(result: Result) -> None:
    """Print it."""
    judgement = result.judgement
    print("\nfaults injected")
    for kind, count in result.faults.items():
        print(f"  {count:6} {kind}")
    for line in result.skipped:
        print(f"  skipped {line}")
    print("tasks ended:", ", ".join(f"{count} {how}" for how, count in result.tasks_ended.items()) or "none")
    print(f"messages sent {judgement.messages_sent}, redriven {result.redriven}, parked {judgement.parked}")
    print(f"objects expected {judgement.expected}, present {judgement.present}")
    for name in Judgement.BAD:
        print(f"{name.replace('_', ' '):24} {getattr(judgement, name)}")
    print(f"{'events repeated':24} {judgement.events_repeated} (same event id: at-least-once, not a fault)")
    print(f"{'objects written again':24} {judgement.objects_written_again} (the same bytes, no fault)")
    for line in [*result.denied, *result.stops]:
        print(f"note: {line}")
    for finding in judgement.findings[:_MOST_FINDINGS]:
        print(f"  {finding}")
    if len(judgement.findings) > _MOST_FINDINGS:
        print(f"  … and {len(judgement.findings) - _MOST_FINDINGS} more in summary.json")
    print(
        f"{'nothing lost, nothing done twice' if result.ok else 'FAILED'} in {result.seconds:g} s,", end=" "
    )
    print(f"seed {result.seed}")
