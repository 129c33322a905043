"""The decision record's four options as configurations of one model, and what else there is, at three scales.

All do the same archives on the same day; they differ in what the record says they differ in: who may be
stopped, what an interruption costs, whether Spot can be used, what a task has to share.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from ops.capacity.bill import task_hour_usd
from ops.capacity.check import compute_usd
from ops.capacity.figures import figures
from ops.capacity.fleet import Manners
from ops.capacity.model import Day, Play
from ops.capacity.question import Question
from ops.capacity.read import Deployed, Service

SCALES = (1, 10, 100)
_CHILDREN = 10_000
_LAMBDA_S, _LAMBDA_TURN_S, _LAMBDA_GB, _LAMBDA_AT_ONCE = 900, 840, 1.0, 1_000
_TASK_CPU, _TASK_MIB = 256, 512
_TRANSITIONS = 3
_BATCH_START_S = 150.0
# A task that lists and downloads keeps some of its places for listing.
_SHARED = 0.9


@dataclass(frozen=True, kw_only=True)
class Option:
    """An option of the record: its weighted score there (added up right), and what it is in the model.

    stuck_share: archives whose progress lives in the process alone, so that they begin anew elsewhere.
    """

    name: str
    score: float
    spot: bool
    stuck_share: float | None = None
    slots: float = 1.0
    play: Play = field(default_factory=Play)


OPTIONS: tuple[Option, ...] = (
    Option(
        name="1 monolith with threads",
        score=6.45,
        spot=False,
        stuck_share=1.0,
        slots=_SHARED,
        play=Play(hop=False, manners=Manners(protects_busy=True, leaves=False)),
    ),
    Option(name="2 orchestrator + worker", score=8.20, spot=True),
    Option(
        name="3 one service, two consumers",
        score=6.00,
        spot=False,
        slots=_SHARED,
        play=Play(manners=Manners(protects_busy=True, leaves=False)),
    ),
    Option(
        name="4 hybrid pool",
        score=6.85,
        spot=False,
        stuck_share=0.5,
        slots=_SHARED,
        play=Play(hop=False, manners=Manners()),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One way of doing it at one scale; `usd` is compute and network a day. `limit`: what it runs into."""

    name: str
    scale: int
    p50_minutes: float
    p95_minutes: float
    p99_minutes: float
    lost_hours: float
    usd: float
    limit: str
    score: float | None = None


def compare(asked: Question, scale: int) -> list[Row]:
    """All ways at this scale."""
    rows, day = [], None
    for option in OPTIONS:
        day = asked.day(
            changed=_as(option, asked.deployed.scaled(scale)),
            assumed=asked.assumed
            if option.stuck_share is None
            else asked.assumed.but({"stuck_share": option.stuck_share}),
            how=replace(option.play, queues=_queues(asked, scale)),
        )
        rows.append(_row(asked, option, scale, day))
    assert day is not None
    return [*rows, *_others(asked, scale, day)]


def _queues(asked: Question, scale: int) -> int:
    """As many queues side by side as the peak needs, with a fifth to spare."""
    load = asked.deployed.load
    peak = load.export_jobs_per_day * scale * load.archives_per_export_job / 1_440 * load.peak_factor
    return max(1, -(-round(1.2 * peak * load.mean_archive_minutes) // asked.deployed.in_flight_limit))


def _as(option: Option, deployed: Deployed) -> Deployed:
    worker = deployed.worker
    slots = str(max(1, round(worker.slots * option.slots)))
    worker = replace(worker, settings={**worker.settings, "SLOTS": slots})
    if not option.spot:
        worker = replace(worker, spot_weight=0, on_demand_weight=1)
    return replace(deployed, worker=worker)


def _row(asked: Question, option: Option, scale: int, day: Day) -> Row:
    found = figures(day, asked.prices)
    cost = compute_usd(found)
    if not option.play.hop:
        # No orchestrators: their work is done by the same tasks.
        cost -= sum(item.usd for item in found.bill if "orchestrator" in item.name)
    shards = day.play.queues
    return Row(
        name=option.name,
        scale=scale,
        p50_minutes=found.p50_minutes,
        p95_minutes=found.p95_minutes,
        p99_minutes=found.p99_minutes,
        lost_hours=found.repeated_hours,
        usd=cost,
        limit=f"{found.most_tasks:,} tasks" + (f", {shards} queues side by side" if shards > 1 else ""),
        score=option.score,
    )


def _others(asked: Question, scale: int, day: Day) -> Iterator[Row]:
    """Closed forms over the same archives: each starts at once, as long as the service's limit allows."""
    need = day.workload.need.astype(np.float64)
    at_once = _peak(day)
    prices = asked.prices
    task = replace(day.deployed.worker, cpu=_TASK_CPU, memory_mib=_TASK_MIB, disk_gib=20)

    def row(name: str, start_s: float, usd: float, limit: str, lost_hours: float = 0.0) -> Row:
        p50, p95, p99 = (np.percentile(need, [50, 95, 99]) + start_s) / 60
        return Row(
            name=name,
            scale=scale,
            p50_minutes=float(p50),
            p95_minutes=float(p95),
            p99_minutes=float(p99),
            lost_hours=lost_hours,
            usd=usd,
            limit=limit,
        )

    turns = float(np.ceil(need / _LAMBDA_TURN_S).sum())
    yield row(
        "Lambda per file, resumed",
        1.0,
        float(need.sum()) * _LAMBDA_GB * prices["lambda_gb_s"] + turns / 1e6 * prices["lambda_requests"],
        f"{(need > _LAMBDA_S).mean():.0%} of archives outlast 15 minutes and need turns; "
        f"{at_once:,} at once, the default quota is {_LAMBDA_AT_ONCE:,}",
    )
    start = asked.assumed.start_s
    hours = float((need + start).sum()) / 3600

    def tasks(service: Service, *, spot: bool) -> float:
        return hours * (task_hour_usd(service, prices, spot=spot) + prices["public_ipv4"])

    vcpus = f"{at_once * _TASK_CPU / 1024:,.0f} vCPU at once"
    yield row("Fargate task per job", start, tasks(task, spot=False), vcpus)
    interrupted = asked.assumed.spot_interruptions_per_hour
    again = float((need**2).sum()) / 2 / 3600**2 * interrupted
    yield row("AWS Batch on Fargate Spot", _BATCH_START_S, tasks(task, spot=True), vcpus, again)
    yield row(
        "Distributed Map of tasks",
        start + 1,
        tasks(task, spot=False) + len(need) * _TRANSITIONS / 1e6 * prices["sfn_transitions"],
        f"{at_once:,} at once, a map run has {_CHILDREN:,} children at most"
        + (": does not fit" if at_once > _CHILDREN else ""),
    )


def _peak(day: Day) -> int:
    """Archives at once at the peak where none waits."""
    at = np.repeat(day.workload.job_at, np.diff(day.workload.first))
    begun = np.bincount((at // 60).astype(np.int64), minlength=2_880)
    ended = np.bincount(np.minimum((at + day.workload.need) // 60, 2_879).astype(np.int64), minlength=2_880)
    return int(np.cumsum(begun - ended).max())


def as_text(rows: list[Row], objective_minutes: float) -> str:
    """One table; the record's scores beside the measured order, by cost among those that hold p95."""
    order = {
        (row.name, row.scale): place
        for scale in SCALES
        for place, row in enumerate(
            sorted(
                (row for row in rows if row.scale == scale and row.score is not None),
                key=lambda row: (row.p95_minutes > objective_minutes, row.usd),
            ),
            start=1,
        )
    }
    lines = [
        "| scale | way | p50 / p95 / p99, min | repeated, h | compute, $ a day | score | measured | limit |",
        "|---:|---|---:|---:|---:|---:|---:|---|",
    ]
    for row in rows:
        times = f"{row.p50_minutes:,.0f} / {row.p95_minutes:,.0f} / {row.p99_minutes:,.0f}"
        place = order.get((row.name, row.scale), "")
        lines.append(
            f"| {row.scale} | {row.name} | {times} | {row.lost_hours:,.0f} | {row.usd:,.2f} "
            f"| {row.score or ''} | {place} | {row.limit} |"
        )
    return "\n".join(lines)
