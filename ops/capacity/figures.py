"""A day in figures: how long it took, what it needed, what it cost."""

from dataclasses import dataclass

import numpy as np

from ops.capacity.bill import BillItem, bill, task_hours, total
from ops.capacity.model import Day
from ops.capacity.prices import Prices
from ops.capacity.workload import DAY_S

_SPARE = 1.15
_HOUR_S = 3_600.0


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Minutes from event to completion by percentile; the worst of queue, fleet and vCPUs; dollars.

    late_return_minutes: for how many minutes after the peak the fleet was above 1.15 times the largest that
    was ideal within the hour before.
    """

    jobs: int
    archives: int
    unfinished: int
    p50_minutes: float
    p95_minutes: float
    p99_minutes: float
    worst_backlog: int
    worst_age_minutes: float
    most_in_flight: int
    in_flight_limit: int
    most_tasks: int
    tasks_allowed: int
    task_hours: float
    ideal_task_hours: float
    late_return_minutes: int
    handed_over: int
    begun_anew: int
    repeated_hours: float
    interrupted: int
    on_demand_vcpus: float
    spot_vcpus: float
    usd: float
    usd_per_thousand: float
    bill: tuple[BillItem, ...]


def figures(day: Day, prices: Prices) -> Figures:
    """The figures of a day that a report gives."""
    track, deployed, step = day.track, day.deployed, day.play.step_s
    finished = day.completion_s[~np.isnan(day.completion_s)]
    p50, p95, p99 = np.percentile(finished, [50, 95, 99]) / 60 if len(finished) else [float("inf")] * 3
    if day.unfinished > 0.05 * day.workload.archives:
        p95 = p99 = float("inf")
    items = bill(day, prices)
    cost = total(items)
    steps = round(DAY_S / step)
    orchestrators = [deployed.orchestrator.split(int(n)) for n in np.unique(day.dispatched.tasks)]
    return Figures(
        jobs=len(day.workload.job_at),
        archives=day.workload.archives,
        unfinished=day.unfinished,
        p50_minutes=float(p50),
        p95_minutes=float(p95),
        p99_minutes=float(p99),
        worst_backlog=int(track.visible.max()),
        worst_age_minutes=float(track.oldest_s.max()) / 60,
        most_in_flight=int(track.in_flight.max()),
        in_flight_limit=deployed.in_flight_limit * day.play.queues,
        most_tasks=int((track.on_demand + track.spot).max()),
        tasks_allowed=deployed.worker.most,
        task_hours=sum(task_hours(day)["worker"]),
        ideal_task_hours=float(track.ideal[:steps].sum()) * step / _HOUR_S,
        late_return_minutes=_late_return(day),
        handed_over=day.handed_over,
        begun_anew=day.begun_anew,
        repeated_hours=day.repeated_s / _HOUR_S,
        interrupted=day.interrupted,
        on_demand_vcpus=float(track.on_demand.max()) * deployed.worker.cores
        + max(o for o, _ in orchestrators) * deployed.orchestrator.cores,
        spot_vcpus=float(track.spot.max()) * deployed.worker.cores
        + max(s for _, s in orchestrators) * deployed.orchestrator.cores,
        usd=cost,
        usd_per_thousand=cost / max(1, len(day.workload.job_at)) * 1_000,
        bill=tuple(items),
    )


def _late_return(day: Day) -> int:
    """Minutes after the peak in which more ran than the hour before could ask for, one task for rounding."""
    track, step = day.track, day.play.step_s
    alive = track.on_demand + track.spot
    hour = round(_HOUR_S / step)
    ideal = np.concatenate((np.full(hour, track.ideal[0]), track.ideal))
    asked = np.lib.stride_tricks.sliding_window_view(ideal, hour + 1).max(axis=1)
    begin = round((day.assumed.peak_from_h + day.deployed.load.peak_hours) * _HOUR_S / step)
    late = alive[begin:] > np.ceil(_SPARE * asked[begin:]) + 1
    return round(int(late.sum()) * step / 60)
