"""A day in minutes: a peak, then calm, and what the fleet cost beside the least that it could have cost."""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ops.scaling.fleet import Fleet, Tally, Work
from ops.scaling.leaving import LeavingRule
from ops.scaling.target_tracking import TargetTracking, Tracking

_MINUTES_A_DAY = 1_440
# A datapoint is there a minute after the minute that it is about.
_DELAY = 1

# What the backlog is divided by. `running` has no data while nothing runs.
Divisor = Literal["desired", "running"]


@dataclass(frozen=True, kw_only=True)
class Demand:
    """Archives, and how long each takes: log-normal through mean and 95th percentile, cut at the longest.

    `peak_factor` times the average rate for `peak_minutes` from minute `lead_minutes` on, the average before
    and after. `stuck_share`: archives that have to begin anew when they change hands (no ranged reads).
    """

    archives_per_day: float
    mean_minutes: float
    p95_minutes: float
    longest_minutes: float
    peak_factor: float
    peak_minutes: int
    lead_minutes: int = 240
    calm_minutes: int = _MINUTES_A_DAY
    stuck_share: float = 0.005

    @property
    def minutes(self) -> int:
        """How long the whole of it is."""
        return self.lead_minutes + self.peak_minutes + self.calm_minutes

    def arrivals(self, chance: random.Random) -> Iterator[list[Work]]:
        """Minute by minute, what comes."""
        mu, sigma = log_normal(self.mean_minutes, self.p95_minutes)
        owed = 0.0
        for now in range(self.minutes):
            peak = self.lead_minutes <= now < self.lead_minutes + self.peak_minutes
            owed += self.archives_per_day / _MINUTES_A_DAY * (self.peak_factor if peak else 1)
            yield [
                Work(
                    arrived=now,
                    minutes=min(self.longest_minutes, chance.lognormvariate(mu, sigma)),
                    resumable=chance.random() >= self.stuck_share,
                )
                for _ in range(int(owed))
            ]
            owed -= int(owed)


@dataclass(frozen=True, kw_only=True)
class ScalingPlan:
    """How a fleet is scaled. `target`: archives, waiting and in hand, per task. Cooldowns in minutes."""

    slots: int
    target: float
    least: int
    most: int
    divisor: Divisor = "desired"
    out_cooldown: int = 1
    in_cooldown: int = 15


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A simulation's result. `ideal_task_hours`: enough tasks for what is there in each minute, and no more.

    Counted from the beginning of the peak. `tasks` is the count in each of those minutes.
    """

    task_hours: float
    ideal_task_hours: float
    tasks: Sequence[int]
    ideal: Sequence[int]
    killed: int
    handed_over: int
    repeated_minutes: float
    longest_wait_minutes: float

    @property
    def excess(self) -> float:
        """Task-hours above the ideal, as a share of it."""
        return self.task_hours / self.ideal_task_hours - 1


def simulate(
    demand: Demand, plan: ScalingPlan, leaving: LeavingRule, *, resume_minutes: float = 0.25, seed: int = 1
) -> Outcome:
    """Run the demand through a fleet. The same seed gives the same day."""
    chance = random.Random(seed)  # noqa: S311  a model, no secret
    days = list(demand.arrivals(chance))
    fleet = Fleet(leaving, slots=plan.slots, resume_minutes=resume_minutes, chance=chance)
    policy = Tracking(target=plan.target, out_cooldown=plan.out_cooldown, in_cooldown=plan.in_cooldown)
    scaling = TargetTracking([policy], least=plan.least, most=plan.most)
    late: list[float | None] = [None] * _DELAY
    tasks: list[int] = []
    before = Tally()
    for now, arrivals in enumerate(days):
        if now == demand.lead_minutes:
            before, fleet.tally = fleet.tally, Tally()
        fleet.minute(now, arrivals, scaling.desired)
        tasks.append(fleet.alive)
        late.append(_backlog_per_task(fleet, plan.divisor, now, scaling.desired))
        scaling.minute([late.pop(0)])
    ideal = _ideal(demand, plan, days)[demand.lead_minutes :]
    tally = fleet.tally
    return Outcome(
        task_hours=tally.task_minutes / 60,
        ideal_task_hours=sum(ideal) / 60,
        tasks=tasks[demand.lead_minutes :],
        ideal=ideal,
        killed=tally.killed + before.killed,
        handed_over=tally.handed_over,
        repeated_minutes=tally.repeated_minutes,
        longest_wait_minutes=max(tally.waits, default=0),
    )


def _backlog_per_task(fleet: Fleet, divisor: Divisor, now: int, desired: int) -> float | None:
    backlog = len(fleet.waiting) + fleet.in_flight
    if divisor == "desired":
        return backlog / max(1, desired)
    running = fleet.running(now)
    return backlog / running if running else None


def _ideal(demand: Demand, plan: ScalingPlan, days: Sequence[Sequence[Work]]) -> list[int]:
    """The fleet that starts every archive as it comes, holds `target` a task, and shrinks at once."""
    change = [0] * (demand.minutes + 1)
    for now, arrivals in enumerate(days):
        for work in arrivals:
            change[now] += 1
            change[min(demand.minutes, now + math.ceil(work.minutes))] -= 1
    there, sizes = 0, []
    for delta in change[:-1]:
        there += delta
        sizes.append(min(plan.most, max(plan.least, math.ceil(there / plan.target))))
    return sizes


def log_normal(mean: float, p95: float) -> tuple[float, float]:
    """The parameters of the log-normal with this mean and 95th percentile.

    p95/mean = exp(1.645 sigma - sigma²/2), so sigma is the smaller root. Raises ValueError where no
    log-normal is that wide (p95 above 3.87 times the mean).
    """
    z = 1.6449
    inside = z * z - 2 * math.log(p95 / mean)
    if inside < 0:
        raise ValueError(f"no log-normal has its 95th percentile at {p95 / mean:.2f} times its mean")
    sigma = z - math.sqrt(inside)
    return math.log(mean) - sigma * sigma / 2, sigma
