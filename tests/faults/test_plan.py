import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.faults.campaign.scenario import Kind, make_scenario
from local.faults.campaign.seeding import seed_campaign


@given(st.integers(0, 2**32), st.sampled_from((20, 60, 600)))
@settings(max_examples=20, deadline=None)
def test_a_plan_is_its_seed(seed: int, seconds: int) -> None:
    plan = make_scenario(seed, seconds)
    assert plan == make_scenario(seed, seconds)
    assert plan.fingerprint == make_scenario(seed, seconds).fingerprint
    assert plan.fingerprint != make_scenario(seed + 1, seconds).fingerprint
    assert {job for send in plan.sends for job in send.jobs} == {job.job_id for job in plan.jobs}
    assert all(0 <= send.at_s <= plan.faults_s for send in plan.sends)
    assert all(send.body.strip() for send in plan.sends)


def test_the_same_plan_makes_the_same_bytes() -> None:
    first, second = (seed_campaign(make_scenario(5, 20)) for _ in range(2))
    assert json.dumps(first.expectations.to_plain()) == json.dumps(second.expectations.to_plain())
    for job_id, export in first.catalogue.exports.items():
        for file in export.files:
            twin = second.catalogue.exports[job_id].file(file.file_id)
            assert twin is not None
            assert twin.archive.etag == file.archive.etag


def test_a_long_campaign_has_every_trouble() -> None:
    assert {trouble.kind for trouble in make_scenario(1, 600).troubles} == set(Kind)


@pytest.mark.parametrize("seconds", [60, 600])
def test_there_is_time_to_drain(seconds: float) -> None:
    plan = make_scenario(1, seconds)
    assert plan.seconds - plan.faults_s >= min(seconds / 2, 150)
