"""Scale-out after three points, scale-in after fifteen, and never against one of the policies."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.scaling.target_tracking import TargetTracking, Tracking

POLICY = Tracking(target=100, out_cooldown=1, in_cooldown=15)


def counts(*columns, least=1, most=50, start=10, policies=None):
    """The desired count after each minute; a column of datapoints for each policy."""
    scaling = TargetTracking(policies or [POLICY] * len(columns), least=least, most=most)
    scaling.desired = start
    return [scaling.minute(points) for points in zip(*columns, strict=True)]


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([200] * 3, [10, 10, 20]),
        ([200, 200, 100, 200, 200], [10] * 5),
        ([200, 200, None, 200, 200], [10] * 5),
        ([101] * 3, [10, 10, 11]),
        ([9000] * 3, [10, 10, 50]),
        ([95] * 40, [10] * 40),
        ([50] * 14, [10] * 14),
        ([50] * 15, [10] * 14 + [5]),
        ([50] * 14 + [95], [10] * 15),
        ([50] * 14 + [None] + [50] * 14, [10] * 29),
        ([0] * 15, [10] * 14 + [1]),
        ([None] * 40, [10] * 40),
    ],
)
def test_one_policy(points, expected):
    assert counts(points) == expected


def test_a_step_in_waits_for_the_last_one_and_a_step_out_does_not():
    assert counts([50] * 30)[13:] == [10] + [5] * 15 + [3]
    assert counts([50] * 15 + [200] * 3)[-1] == 10


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([200] * 7, [10, 10, 20, 20, 20, 40, 40]),
        ([200] * 3 + [400] * 2, [10, 10, 20, 40, 40]),
        # A metric that is a minute late says the same again after the step, and that is no second reason.
        ([200] * 4 + [100] * 4, [10, 10] + [20] * 6),
    ],
)
def test_in_its_cooldown_a_step_counts_as_part_of_the_next(points, expected):
    assert counts(points, policies=[replace(POLICY, out_cooldown=3)]) == expected


def test_a_cooldown_is_its_policys_own():
    policies = [replace(POLICY, out_cooldown=30), POLICY]
    assert counts([200] * 6, [0, 0, 0, 150, 150, 150], policies=policies)[-1] == 30


def test_any_policy_scales_out_and_all_must_agree_to_scale_in():
    assert counts([200] * 3, [10] * 3)[-1] == 20
    assert counts([50] * 40, [95] * 40)[-1] == 10
    assert counts([50] * 40, [None] * 40)[-1] == 10
    assert counts([50] * 15, [80] * 15)[-1] == 8


@given(st.lists(st.tuples(*[st.none() | st.floats(0, 1e6)] * 2), max_size=120))
def test_the_count_stays_within_its_bounds_and_moves_for_a_reason(points):
    scaling = TargetTracking([POLICY, POLICY], least=2, most=30)
    for pair in points:
        before = scaling.desired
        after = scaling.minute(pair)
        assert 2 <= after <= 30
        if after > before:
            assert any(p is not None and p > POLICY.target for p in pair)
        if after < before:
            assert all(p is not None and p < 0.9 * POLICY.target for p in pair)
