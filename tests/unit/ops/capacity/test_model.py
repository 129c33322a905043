"""The model against what is known for certain: closed forms, another simulator, and what cannot get lost."""

import heapq
import time
from dataclasses import replace

import numpy as np
import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.capacity.model import Play, play
from ops.capacity.scenarios import SCENARIOS, Scenario
from ops.capacity.workload import Assumptions
from tests.unit.ops.capacity.small import (
    BACKLOG,
    CALIBRATION,
    LOAD,
    QUIET,
    archives,
    environment,
    erlang_c,
    fixed,
    played,
    service,
)


def poisson(rate_per_s, mean_s, *, hours=8, seed=3):
    chance = np.random.default_rng(seed)
    count = chance.poisson(rate_per_s * hours * 3600)
    at = np.sort(chance.uniform(0, hours * 3600, count))
    return archives(at, chance.exponential(mean_s, count))


def first_in_first_out(workload, servers):
    """When each begins at so many servers: exact, event by event."""
    free, begun = [0.0] * servers, []
    for at, need in zip(workload.job_at.tolist(), workload.need.tolist(), strict=True):
        begun.append(max(at, free[0]))
        heapq.heapreplace(free, begun[-1] + need)
    return np.array(begun) - workload.job_at


QUEUES = pytest.mark.parametrize(
    ("servers", "load"), [(2, 0.6), (5, 0.8), (10, 0.6), (20, 0.9), (60, 0.85), (100, 0.95)]
)


@QUEUES
def test_a_long_run_event_by_event_waits_as_erlang_says(servers, load):
    """Half a million arrivals of an M/M/c: what the model is held to below is the closed form itself."""
    chance, count, mean_s = np.random.default_rng(7), 500_000, 240.0
    workload = archives(
        np.cumsum(chance.exponential(mean_s / (load * servers), count)), chance.exponential(mean_s, count)
    )
    waits = first_in_first_out(workload, servers)
    delayed = erlang_c(servers, load * servers)
    assert (waits > 0).mean() == pytest.approx(delayed, rel=0.03)
    assert waits.mean() == pytest.approx(delayed * mean_s / (servers * (1 - load)), rel=0.06)


@QUEUES
def test_the_model_waits_as_a_queue_with_so_many_servers_does(servers, load):
    """The same arrivals through both, so that what is left is the model's own error."""
    mean_s = 600.0
    workload = poisson(load * servers / mean_s, mean_s, hours=18)
    day = played(workload, fixed(1, servers), how=Play(step_s=30, hours=1))
    exact = first_in_first_out(workload, servers)
    assert day.waits_s.mean() == pytest.approx(exact.mean(), rel=0.04, abs=0.5)
    assert np.percentile(day.waits_s, 95) == pytest.approx(np.percentile(exact, 95), rel=0.04, abs=10)
    assert (day.done_at >= workload.job_at + workload.need - 0.1).all()


def test_what_is_in_flight_is_rate_times_time():
    rate, mean_s = 0.05, 600.0
    day = played(poisson(rate, mean_s), fixed(8, 10), how=Play(step_s=20, hours=1))
    settled = slice(3_600 // 20, 8 * 3_600 // 20)
    assert day.track.in_flight[settled].mean() == pytest.approx(rate * mean_s, rel=0.1)
    assert day.waits_s.max() < 60


def test_every_archive_ends_where_an_event_by_event_simulation_ends_it():
    """Simpy, with the same archives and as many slots: first in, first out."""
    workload = poisson(0.06, 300.0, hours=2)
    slots, ends = 20, {}
    world = simpy.Environment()
    pool = simpy.Resource(world, slots)

    def archive(number):
        yield world.timeout(workload.job_at[number])
        with pool.request() as slot:
            yield slot
            yield world.timeout(float(workload.need[number]))
        ends[number] = world.now

    for number in range(workload.archives):
        world.process(archive(number))
    world.run()
    day = played(workload, fixed(2, 10), how=Play(step_s=2, hours=1))
    theirs = np.array([ends[number] for number in range(workload.archives)])
    assert np.abs(day.done_at - theirs).mean() < 2
    assert np.percentile(day.done_at - theirs, [1, 99]) == pytest.approx([0, 0], abs=10)


def test_half_the_vendor_makes_everything_twice_as_long():
    workload = archives([0, 10, 20], [600, 1_200, 300])
    day = played(workload, fixed(1, 10), scenario=Scenario(what="half", slow=((0, 24, 0.5),)))
    assert (day.done_at - workload.job_at) == pytest.approx(2 * workload.need, rel=0.01)


def test_a_cap_on_the_vendor_is_shared_by_all_downloads():
    """Ten downloads of 1 kB/s each, and a vendor that sends 5 kB/s at this load."""
    load = replace(LOAD, export_jobs_per_day=100_000)
    capped = QUIET.but({"archive_mb_s": 1e-3, "vendor_mb_s": 5e-3})
    day = played(archives([0] * 10, [600] * 10), replace(fixed(1, 10), load=load), assumed=capped)
    assert day.done_at == pytest.approx(np.full(10, 1_200), rel=0.02)


def test_archives_that_need_more_cpu_than_there_is_share_it():
    heavy = QUIET.but({"archive_mb_s": 40.0})  # 0.57 cores each, and two are there
    day = played(archives([0] * 8, [600] * 8), fixed(1, 8), assumed=heavy)
    slowed = day.done_at[0] / 600
    assert slowed == pytest.approx(8 * 40 * 2.1 * 6.833e-3 / 2, rel=0.02)
    assert day.track.cpu[1] == 100


@given(
    seed=st.integers(0, 1_000),
    spot=st.floats(0, 3),
    crashes=st.floats(0, 1),
    stuck=st.floats(0, 1),
    trouble=st.tuples(st.floats(0, 4), st.floats(0, 4)),
)
@settings(max_examples=8, deadline=None)
def test_no_archive_is_lost_and_none_is_done_before_its_time(seed, spot, crashes, stuck, trouble):
    chance = np.random.default_rng(seed)
    count, (outage, deploy) = 400, trouble
    at = np.sort(chance.uniform(0, 4 * 3_600, count))
    workload = archives(at, chance.uniform(60, 3_000, count), stuck=chance.random(count) < stuck)
    assumed = QUIET.but({"spot_interruptions_per_hour": spot, "crashes_per_hour": crashes, "resume_s": 15})
    scenario = Scenario(what="trouble", outages=((outage, 1),), deployments=(deploy,))
    day = played(workload, environment(), assumed=assumed, scenario=scenario, how=Play(seed=seed, hours=4))
    assert day.unfinished == 0
    assert day.track.finished.sum() == count
    assert (day.done_at - at >= workload.need * 0.999 - 1).all()
    # What was in hand is what was needed and what was done again.
    in_hand = workload.need.sum() + day.repeated_s
    assert day.heartbeats == pytest.approx(in_hand, rel=0.1)
    assert (day.track.running <= 2 * day.deployed.worker.most).all()


def test_a_queue_lets_no_more_be_in_flight_than_sqs_does():
    deployed = replace(fixed(4, 10), in_flight_limit=15)
    day = played(archives(np.zeros(60), np.full(60, 600)), deployed)
    assert day.track.in_flight.max() == 15
    assert day.done_at.max() == pytest.approx(2_400, rel=0.02)


def test_the_fleet_follows_its_policy_out_and_in_again():
    workload = archives(np.arange(0, 14_400, 60.0), np.full(240, 7_200))
    day = played(workload, environment(), how=Play())
    # 120 at once at a target of 8 a task.
    assert day.track.desired.max() == pytest.approx(120 / 8, abs=2)
    assert day.track.desired[-1] == 2
    assert day.track.spot.max() == pytest.approx(0.8 * 14, abs=2)
    assert day.begun_anew == 0


def test_an_outage_stops_everything_and_loses_nothing():
    workload = archives(np.arange(0, 3_600, 60.0), np.full(60, 1_800))
    day = played(workload, environment(), scenario=Scenario(what="away", outages=((0.5, 2),)), how=Play())
    assert not day.track.finished[32:150].any()
    assert day.unfinished == 0
    assert day.done_at.max() > 2.5 * 3600


def test_a_crash_costs_a_wait_for_visibility_and_little_work():
    workload = archives(np.zeros(20), np.full(20, 7_200))
    day = played(workload, fixed(3, 10), assumed=QUIET.but({"crashes_per_hour": 0.3}), how=Play(seed=5))
    assert day.interrupted > 0
    assert 0 < day.repeated_s <= day.handed_over * QUIET.resume_s
    assert day.done_at.max() > 7_200 + 300


def test_the_same_seed_gives_the_same_day_and_another_one_does_not():
    days = [
        play(
            environment(load=replace(LOAD, export_jobs_per_day=400)),
            SCENARIOS["spot-storm"],
            Assumptions(),
            CALIBRATION,
            Play(seed=seed),
        )
        for seed in (1, 1, 2)
    ]
    assert (days[0].done_at == days[1].done_at).all()
    assert (days[0].track.spot == days[1].track.spot).all()
    assert len(days[0].done_at) != len(days[2].done_at) or (days[0].done_at != days[2].done_at).any()


def test_a_day_takes_seconds():
    """100,000 jobs: two seconds on a machine of its own; ten times that here, where others work beside it."""
    load = replace(LOAD, export_jobs_per_day=100_000, peak_factor=5)
    worker = service(least=4, most=100, policies=(replace(BACKLOG, target=384),), settings={"SLOTS": "512"})
    began = time.process_time()
    day = play(environment(load, worker=worker), SCENARIOS["day"], Assumptions(), CALIBRATION)
    assert time.process_time() - began < 20
    assert (len(day.done_at), day.unfinished) == (100_000, 0)
