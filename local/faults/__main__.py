"""`python -m local.faults`: run a campaign, print what was found, exit 0 only if nothing bad was."""

import argparse
import json
import os
import random
import sys

from local.assembly import LOCAL
from local.faults import scratch
from local.faults.campaign import Result, run
from local.faults.checker import Verdict
from local.faults.plan import make_plan
from local.faults.sabotage import Sabotage

_MOST_FINDINGS = 30


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.faults", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="faults and draining together")
    parser.add_argument("--seed", type=int, help="repeats a campaign's plan; without it, a new one")
    parser.add_argument("--name", default="faults", help="directory under .local/")
    parser.add_argument("--plan", action="store_true", help="print the plan and do nothing")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1_000_000)
    plan = make_plan(seed, arguments.seconds)
    if arguments.plan:
        print(plan.to_json())
        return 0
    # Before anything starts a thread: see scratch.
    refusal = scratch.enter_namespace()
    sabotage = os.environ.get("FAULTS_SABOTAGE")
    print(
        f"seed {seed}, plan {plan.fingerprint}: {len(plan.sends)} messages, {len(plan.jobs)} jobs,", end=" "
    )
    print(f"{len(plan.troubles)} troubles in {plan.faults_s:g} s", flush=True)
    result = run(
        plan,
        disk_refusal=refusal,
        sabotage=Sabotage(sabotage) if sabotage else None,
        name=arguments.name,
        say=lambda line: print(line, flush=True),
    )
    (LOCAL / arguments.name / "summary.json").write_text(json.dumps(result.to_plain(), indent=2) + "\n")
    _report(result)
    return 0 if result.ok else 1


def _report(result: Result) -> None:
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


if __name__ == "__main__":
    sys.exit(main())
