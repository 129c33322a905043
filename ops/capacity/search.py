"""The cheapest settings that hold the objectives, and hold them when Spot goes away at the peak.

One setting at a time over its candidates, round after round, until none makes the day cheaper: the settings
work on different items of the bill, so that little is gained by trying them in pairs.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ops.capacity.check import missed
from ops.capacity.figures import Figures
from ops.capacity.question import Question
from ops.capacity.read import Deployed, Service

_ROUNDS = 3
_NAT_GATEWAYS = 2


@dataclass(frozen=True, kw_only=True)
class Knob:
    """A setting: its name in the environment, its value in a deployment, what else it could be."""

    name: str
    of: Callable[[Deployed], object]
    candidates: Callable[[Deployed], Sequence[object]]
    set: Callable[[Deployed, object], Deployed]


@dataclass(frozen=True, kw_only=True)
class Found:
    """The cheapest that was found; None where not even the start holds and nothing else did."""

    deployed: Deployed
    figures: Figures
    tried: int


def search(asked: Question, knobs: Sequence[Knob] | None = None) -> Found | None:
    """From the environment's own values. The same seed for all, so that they meet the same day.

    `knobs`: what may be turned, all of them if not said.
    """
    tried: dict[str, Figures | None] = {}

    def holds(candidate: Deployed) -> Figures | None:
        key = repr(candidate)
        if key not in tried:
            question = replace(asked, deployed=candidate)
            found = question.figures()
            misses = any(missed(question, found)) or any(_late(question))
            tried[key] = None if misses else found
        return tried[key]

    best, cost = asked.deployed, holds(asked.deployed)
    for _ in range(_ROUNDS):
        start = best
        for knob in KNOBS if knobs is None else knobs:
            for value in knob.candidates(best):
                candidate = knob.set(best, value)
                if (
                    _sensible(candidate)
                    and (found := holds(candidate))
                    and (cost is None or found.usd < cost.usd)
                ):
                    best, cost = candidate, found
        if best == start:
            break
    return None if cost is None else Found(deployed=best, figures=cost, tried=len(tried))


def diff(before: Deployed, after: Deployed) -> list[str]:
    """The environment's lines that change."""
    return [
        line
        for knob in KNOBS
        if knob.of(before) != knob.of(after)
        for line in (f"- {knob.name}={knob.of(before)!r}", f"+ {knob.name}={knob.of(after)!r}")
    ]


def _late(question: Question) -> Iterator[str]:
    """A day without Spot may leave its fleet late; nothing else may be missed."""
    stormy = question.figures("spot-storm")
    return missed(question, replace(stormy, late_return_minutes=0))


def _sensible(candidate: Deployed) -> bool:
    worker = candidate.worker
    return (
        worker.least <= worker.most
        and worker.on_demand_base <= worker.most
        and (worker.backlog_target <= worker.slots)
    )


def _worker(change: Callable[[Service, object], Service]) -> Callable[[Deployed, object], Deployed]:
    return lambda deployed, value: replace(deployed, worker=change(deployed.worker, value))


def _with_target(service: Service, value: object) -> Service:
    policies = tuple(
        replace(policy, target=float(str(value))) if policy.expression else policy
        for policy in service.policies
    )
    return replace(service, policies=policies)


def _with_slots(service: Service, value: object) -> Service:
    settings: Mapping[str, str] = service.settings
    return replace(service, settings={**settings, "SLOTS": str(value)})


def _with_egress(deployed: Deployed, value: object) -> Deployed:
    public = value == "public-ip"
    return replace(
        deployed,
        nat_gateways=0 if public else max(1, deployed.nat_gateways or _NAT_GATEWAYS),
        worker=replace(deployed.worker, public_ip=public),
        orchestrator=replace(deployed.orchestrator, public_ip=public),
    )


def _with_architecture(deployed: Deployed, value: object) -> Deployed:
    arm = value == "arm64"
    return replace(
        deployed,
        worker=replace(deployed.worker, arm=arm),
        orchestrator=replace(deployed.orchestrator, arm=arm),
    )


KNOBS: tuple[Knob, ...] = (
    Knob(
        name="architecture",
        of=lambda d: "arm64" if d.worker.arm else "x86_64",
        candidates=lambda _: ("arm64", "x86_64"),
        set=_with_architecture,
    ),
    Knob(
        name="network.egress",
        of=lambda d: "public-ip" if d.worker.public_ip else "nat",
        candidates=lambda _: ("public-ip", "nat"),
        set=_with_egress,
    ),
    Knob(
        name="worker.spot_weight",
        of=lambda d: d.worker.spot_weight,
        candidates=lambda _: (1, 4, 9, 19),
        set=_worker(lambda s, value: replace(s, spot_weight=int(str(value)))),
    ),
    Knob(
        name="worker.on_demand_base",
        of=lambda d: d.worker.on_demand_base,
        candidates=lambda d: sorted({1, 2, d.worker.least, d.worker.on_demand_base}),
        set=_worker(lambda s, value: replace(s, on_demand_base=int(str(value)))),
    ),
    Knob(
        name="worker.slots",
        of=lambda d: d.worker.slots,
        candidates=lambda d: sorted({256, 512, 768, 1_000, d.worker.slots}),
        set=_worker(_with_slots),
    ),
    Knob(
        name="worker.backlog_per_task",
        of=lambda d: round(d.worker.backlog_target),
        candidates=lambda d: sorted({256, 320, 384, 448, 512, round(d.worker.backlog_target)}),
        set=_worker(_with_target),
    ),
    Knob(
        name="worker.min_tasks",
        of=lambda d: d.worker.least,
        candidates=lambda d: sorted({1, 2, 3, 4, 6, d.worker.least}),
        set=_worker(lambda s, value: replace(s, least=int(str(value)))),
    ),
    Knob(
        name="worker.max_tasks",
        of=lambda d: d.worker.most,
        candidates=lambda d: sorted({d.worker.most // 2, 3 * d.worker.most // 4, d.worker.most}),
        set=_worker(lambda s, value: replace(s, most=int(str(value)))),
    ),
)
