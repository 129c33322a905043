"""An environment's values as a demand and a plan, so that what is simulated is what is deployed."""

from ops.scaling.simulation import Demand, Divisor, ScalingPlan
from stacks.values import Load, Service
from stacks.values.service import SCALE_IN_S, SCALE_OUT_S


def demand_of(load: Load, *, stuck_share: float = 0.005) -> Demand:
    """The environment's load, with its peak in a day."""
    return Demand(
        archives_per_day=load.export_jobs_per_day * load.archives_per_export_job,
        mean_minutes=load.mean_archive_minutes,
        p95_minutes=load.p95_archive_minutes,
        longest_minutes=load.longest_archive_hours * 60,
        peak_factor=load.peak_factor,
        peak_minutes=round(load.peak_hours * 60),
        stuck_share=stuck_share,
    )


def plan_of(service: Service, *, divisor: Divisor = "desired") -> ScalingPlan:
    """How the service is scaled."""
    return ScalingPlan(
        slots=service.slots,
        target=service.backlog_per_task,
        least=service.min_tasks,
        most=service.max_tasks,
        divisor=divisor,
        out_cooldown=SCALE_OUT_S // 60,
        in_cooldown=SCALE_IN_S // 60,
    )
