"""Which troubles come when: to processes, to what everybody talks to, and to one dependency after another."""

import random

from local.faults.campaign.scenario import Trouble, TroubleKind

# How often each befalls, and for how long (seconds, at least and at most). Outages of one dependency have
# times of their own.
_TROUBLES: dict[TroubleKind, tuple[int, float, float]] = {
    TroubleKind.KILL: (5, 0, 0),
    TroubleKind.TERMINATE: (3, 0, 0),
    TroubleKind.TERMINATE_TWICE: (1, 0.1, 0.5),
    TroubleKind.FREEZE: (4, 7, 12),
    TroubleKind.FILL_DISK: (2, 3, 8),
    TroubleKind.SQUEEZE_MEMORY: (1, 2, 4),
    TroubleKind.SHRINK_MEMORY: (1, 0, 0),
    TroubleKind.BREAK_AGENT: (1, 3, 8),
    TroubleKind.ROTATE_TOKEN: (1, 0, 0),
    TroubleKind.API_DOWN: (1, 2, 5),
    TroubleKind.STORM: (3, 2, 6),
}
# A pause is 2 s at most here and a circuit's reset 2 s, a message's visibility 8 s, a slot's patience 20 s.
_OUTAGE_S, _BETWEEN_OUTAGES_S = (10.0, 22.0), (5.0, 15.0)
OUTAGES = (
    "status/503", "status/hangs", "listing/503", "listing/hangs", "downloads/503", "downloads/hangs",
    "secret/503", "secret/hangs", "secret/empty",
)  # fmt: skip
_STORMS = ("sqs", "s3", "dynamodb", "events", "secretsmanager")
# Process troubles leave the work this long on average to get somewhere.
_MEAN_PAUSE_S = 2.5


def plan_troubles(rng: random.Random, faults_s: float) -> list[Trouble]:
    """Every kind once in a random order as far as there is time, then by weight."""
    once = list(_TROUBLES)
    rng.shuffle(once)
    troubles = []
    at_s = 2.0
    while at_s < faults_s:
        kind = once.pop() if once else rng.choices(list(_TROUBLES), [w for w, _, _ in _TROUBLES.values()])[0]
        _, least, most = _TROUBLES[kind]
        worker_only = kind in (TroubleKind.FILL_DISK, TroubleKind.SHRINK_MEMORY)
        troubles.append(
            Trouble(
                at_s=round(at_s, 2),
                kind=kind,
                service="worker" if worker_only or rng.random() < 0.65 else "orchestrator",
                pick=rng.randrange(1_000),
                for_s=round(rng.uniform(least, most), 2),
                of=rng.choice(_STORMS) if kind is TroubleKind.STORM else "",
            )
        )
        at_s += rng.expovariate(1 / _MEAN_PAUSE_S)
    return troubles


def plan_outages(rng: random.Random, faults_s: float) -> list[Trouble]:
    """One dependency after the other is down, each in each of its ways before any comes again."""
    outages: list[Trouble] = []
    left: list[str] = []
    at_s = rng.uniform(*_BETWEEN_OUTAGES_S)
    while at_s < faults_s - _OUTAGE_S[0] / 2:
        if not left:
            left = rng.sample(OUTAGES, len(OUTAGES))
        for_s = rng.uniform(*_OUTAGE_S)
        outages.append(
            Trouble(
                at_s=round(at_s, 2),
                kind=TroubleKind.ONE_DOWN,
                service="worker",
                pick=0,
                for_s=round(for_s, 2),
                of=left.pop(),
            )
        )
        at_s += for_s + rng.uniform(*_BETWEEN_OUTAGES_S)
    return outages
