"""The day of the record: what scaling cost before, what it costs now, and that nothing is killed for it."""

import random
from dataclasses import replace
from statistics import fmean, quantiles

import pytest

from ops.scaling import Demand, KeepsPolling, LeavesWhenUnwanted, ScalingPlan, simulate
from ops.scaling.sized import demand_of, plan_of
from stacks.environments import ENVIRONMENTS, PROD

FIVE_MINUTES = Demand(
    archives_per_day=150_000,
    mean_minutes=5,
    p95_minutes=15,
    longest_minutes=480,
    peak_factor=5,
    peak_minutes=120,
)
SMALL_TASKS = ScalingPlan(slots=16, target=16, least=6, most=200)


def test_before_a_fleet_never_came_back_from_its_peak():
    demand = replace(FIVE_MINUTES, archives_per_day=300_000)
    day = simulate(demand, replace(SMALL_TASKS, slots=32, target=32), KeepsPolling())

    assert day.tasks[-120] > 3 * day.ideal[-120], "22 hours after the peak"
    assert day.excess > 1


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda environment: environment.name)
def test_every_environment_costs_little_above_the_ideal_and_kills_nothing(environment):
    day = simulate(demand_of(environment.load), plan_of(environment.worker), LeavesWhenUnwanted())

    assert day.excess <= 0.15
    assert day.killed == 0
    assert day.tasks[-1] <= day.ideal[-1] + 1
    assert day.longest_wait_minutes < environment.alarms.queue_wait_hours * 60


@pytest.mark.parametrize("seed", range(2, 4))
def test_it_does_not_depend_on_the_draw(seed):
    day = simulate(FIVE_MINUTES, SMALL_TASKS, LeavesWhenUnwanted(), seed=seed)

    assert day.excess <= 0.15
    assert day.killed == 0


def test_prod_holds_its_peak_with_the_tasks_that_the_cost_was_chosen_for():
    day = simulate(demand_of(PROD.load), plan_of(PROD.worker), LeavesWhenUnwanted())

    assert max(day.ideal) <= max(day.tasks) <= 1.2 * max(day.ideal)


def test_a_protected_fleet_divided_by_its_running_tasks_is_the_worst_of_all():
    running = simulate(demand_of(PROD.load), plan_of(PROD.worker, divisor="running"), KeepsPolling())
    desired = simulate(demand_of(PROD.load), plan_of(PROD.worker), KeepsPolling())
    leaving = simulate(demand_of(PROD.load), plan_of(PROD.worker), LeavesWhenUnwanted())

    assert running.task_hours > desired.task_hours > 2 * leaving.task_hours


def test_the_demand_has_the_mean_the_tail_and_the_peak_that_were_asked_for():
    days = list(FIVE_MINUTES.arrivals(random.Random(1)))
    minutes = [work.minutes for arrivals in days for work in arrivals]

    assert fmean(minutes) == pytest.approx(5, rel=0.03)
    assert quantiles(minutes, n=20)[-1] == pytest.approx(15, rel=0.05)
    assert len(days[300]) == pytest.approx(5 * len(days[0]), abs=5)
    assert len(minutes) == pytest.approx(150_000 / 24 * (4 + 5 * 2 + 24), rel=0.01)


def test_a_distribution_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"5\.00 times its mean"):
        simulate(Demand(**{**vars(FIVE_MINUTES), "p95_minutes": 25}), SMALL_TASKS, KeepsPolling())
