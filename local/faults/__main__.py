"""`python -m local.faults`: run a campaign, print what was found, exit 0 only if nothing bad was."""

import argparse
import json
import os
import random
import sys

from local.assembly import LOCAL
from local.faults.campaign import scratch
from local.faults.campaign.campaign import run
from local.faults.campaign.planning import make_scenario
from local.faults.campaign.summary import report
from local.faults.proxy.sabotage import Sabotage


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.faults", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="faults and draining together")
    parser.add_argument("--seed", type=int, help="repeats a campaign's plan; without it, a new one")
    parser.add_argument("--name", default="faults", help="directory under .local/")
    parser.add_argument("--plan", action="store_true", help="print the plan and do nothing")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1_000_000)
    plan = make_scenario(seed, arguments.seconds)
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
    report(result)
    return 0 if result.ok else 1


if __name__ == "__main__":
    sys.exit(main())
