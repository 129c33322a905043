"""The knobs of an environment that the search may turn: each setting's name, value and candidates."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ops.capacity.read import Deployed, Service

_NAT_GATEWAYS = 2


@dataclass(frozen=True, kw_only=True)
class Knob:
    """A setting: its name in the environment, its value in a deployment, what else it could be."""

    name: str
    of: Callable[[Deployed], object]
    candidates: Callable[[Deployed], Sequence[object]]
    set: Callable[[Deployed, object], Deployed]


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
        candidates=lambda d: sorted({256, 320, 352, 384, 416, 448, 480, round(d.worker.backlog_target)}),
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
        candidates=lambda d: sorted({max(1, d.worker.most // 4), d.worker.most // 2, 3 * d.worker.most // 4}),
        set=_worker(lambda s, value: replace(s, most=int(str(value)))),
    ),
)


def diff(before: Deployed, after: Deployed) -> list[str]:
    """The environment's lines that change."""
    return [
        line
        for knob in KNOBS
        if knob.of(before) != knob.of(after)
        for line in (f"- {knob.name}={knob.of(before)!r}", f"+ {knob.name}={knob.of(after)!r}")
    ]


def sensible(candidate: Deployed) -> bool:
    """Whether an environment could say this at all."""
    worker = candidate.worker
    return (
        worker.least <= worker.most
        and worker.on_demand_base <= worker.most
        and (worker.backlog_target <= worker.slots)
    )
