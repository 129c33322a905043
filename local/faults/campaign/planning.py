"""Makes a campaign's plan: a pure function of the seed and the length."""

import random
from collections.abc import Mapping

from local.faults.campaign.planned_troubles import plan_outages, plan_troubles
from local.faults.campaign.planned_work import plan_jobs, plan_sends
from local.faults.campaign.scenario import Scenario

_JOBS_PER_S = 0.25
_FEWEST_JOBS = 8
_LONGEST_DRAIN_S = 150.0

AWS_RATES: Mapping[str, float] = {
    "throttled": 0.015, "server-error": 0.008, "server-error-after": 0.004, "timeout-before": 0.003,
    "timeout-after": 0.003, "reset-before": 0.004, "reset-after": 0.004, "partial": 0.06, "conflict": 0.02,
    "duplicate": 0.08, "receipt-expired": 0.04, "shuffled": 0.15, "withheld": 0.04, "corrupted": 0.01,
    "error-in-200": 0.08,
}  # fmt: skip
API_RATES: Mapping[str, float] = {
    "server-error": 0.02, "throttled": 0.02, "unauthorised": 0.01, "expired-url": 0.02, "reset": 0.02,
    "cut": 0.02, "drip": 0.01, "changed-etag": 0.01, "shuffled-page": 0.15, "not-ready": 0.05,
    "expired-token": 0.02, "html": 0.02, "flipped": 0.03, "zeros": 0.02,
}  # fmt: skip


def make_scenario(seed: int, seconds: float) -> Scenario:
    """The campaign of this seed and length; the last part of the time is for draining."""
    faults_s = seconds - min(seconds / 2, _LONGEST_DRAIN_S)
    jobs = tuple(
        plan_jobs(random.Random(f"jobs/{seed}"), seed, max(_FEWEST_JOBS, round(faults_s * _JOBS_PER_S)))
    )
    troubles = [
        *plan_troubles(random.Random(f"troubles/{seed}"), faults_s),
        *plan_outages(random.Random(f"outages/{seed}"), faults_s),
    ]
    return Scenario(
        seed=seed,
        seconds=seconds,
        faults_s=faults_s,
        jobs=jobs,
        sends=tuple(plan_sends(random.Random(f"sends/{seed}"), jobs, faults_s)),
        troubles=tuple(sorted(troubles, key=lambda trouble: trouble.at_s)),
        aws_rates=AWS_RATES,
        api_rates=API_RATES,
    )
