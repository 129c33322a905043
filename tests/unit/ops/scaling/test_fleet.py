"""What ECS and the services do with the tasks and their work."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.scaling.fleet import Fleet, Work
from ops.scaling.leaving import KeepsPolling, LeavesWhenUnwanted, StopsAtOnce

WAYS = [KeepsPolling(), LeavesWhenUnwanted(), StopsAtOnce()]


def fleet(leaving, *, slots=4):
    return Fleet(leaving, slots=slots, resume_minutes=0.5, chance=random.Random(1))


def work(count, *, minutes=60.0, resumable=True):
    return [Work(arrived=0, minutes=minutes, resumable=resumable) for _ in range(count)]


def busy(leaving, *, resumable=True):
    """Four tasks with four archives each, taken two minutes ago."""
    tasks = fleet(leaving)
    for now in range(5):
        tasks.minute(now, work(16, resumable=resumable) if now == 0 else [], 4)
    assert (tasks.in_flight, len(tasks.waiting)) == (16, 0)
    return tasks


@pytest.mark.parametrize(
    ("leaving", "resumable", "alive", "killed"),
    [
        (KeepsPolling(), True, 4, 0),
        (StopsAtOnce(), True, 1, 0),
        (StopsAtOnce(), False, 1, 12),
        (LeavesWhenUnwanted(), True, 1, 0),
        (LeavesWhenUnwanted(), False, 4, 0),
    ],
)
def test_who_goes_when_one_task_is_enough(leaving, resumable, alive, killed):
    tasks = busy(leaving, resumable=resumable)
    tasks.minute(5, [], 1)
    assert (tasks.alive, tasks.tally.killed) == (alive, killed)


def test_an_unwanted_task_goes_when_it_has_finished_what_could_not_be_handed_over():
    tasks = busy(LeavesWhenUnwanted(), resumable=False)
    tasks.minute(5, work(8), 1)
    assert (tasks.alive, len(tasks.waiting)) == (4, 8), (
        "nobody wanted has room, and nobody unwanted takes more"
    )
    tasks.minute(200, [], 1)
    assert tasks.alive == 1
    assert (tasks.tally.killed, tasks.tally.repeated_minutes) == (0, 0)


def test_a_hand_over_repeats_little_and_a_kill_everything():
    gentle, rough = busy(StopsAtOnce()), busy(StopsAtOnce(), resumable=False)
    for tasks in (gentle, rough):
        tasks.minute(30, [], 1)
    assert gentle.tally.repeated_minutes == 12 * 0.5
    assert rough.tally.repeated_minutes == 12 * 28


@given(
    st.sampled_from(WAYS),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 6), st.floats(0.5, 90), st.booleans()), max_size=60),
)
def test_no_archive_is_lost(leaving, minutes):
    tasks, came = fleet(leaving), 0
    for now, (count, desired, length, resumable) in enumerate(minutes):
        tasks.minute(now, work(count, minutes=length, resumable=resumable), desired)
        came += count
        assert tasks.tally.finished + tasks.in_flight + len(tasks.waiting) == came
