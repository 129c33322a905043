import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.export_api.faults import FAULTS
from local.faults.campaign.planned_troubles import OUTAGES
from local.faults.campaign.planning import make_scenario
from local.faults.campaign.scenario import TroubleKind
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
    plan = make_scenario(1, 600)
    assert {trouble.kind for trouble in plan.troubles} == set(TroubleKind)
    assert {trouble.of for trouble in plan.troubles if trouble.kind is TroubleKind.ONE_DOWN} == set(OUTAGES)
    assert set(plan.api_rates) == set(FAULTS)


@pytest.mark.parametrize("seed", range(5))
def test_the_shortest_campaign_has_every_kind_of_work(seed: int) -> None:
    plan = make_scenario(seed, 60)
    files = [file for job in plan.jobs for file in job.files]
    assert any(job.crashes for job in plan.jobs)
    assert {"", "short", "cut"} == {file.at_first for file in files}
    assert {"done", "crash-loop"} <= {file.ending for file in files}
    # What takes several receipts, or a run of its own, begins at once.
    slow = {job.job_id for job in plan.jobs if job.crashes or job.heals}
    assert slow <= {job for send in plan.sends if send.at_s == 0 for job in send.jobs}


def test_a_long_campaign_has_every_kind_of_work() -> None:
    plan = make_scenario(2, 600)
    ids = [job.job_id for job in plan.jobs] + [file.file_id for job in plan.jobs for file in job.files]
    assert any(not id_.isascii() for id_ in ids)
    assert any(len(id_) > 128 for id_ in ids)
    assert max(map(len, ids)) <= 256
    assert {send.attributes for send in plan.sends} == {0, 10}
    assert any(send.refused for send in plan.sends)
    assert any(job.surplus for job in plan.jobs)
    assert any(file.nodes > 1 for job in plan.jobs for file in job.files)


@pytest.mark.parametrize("seconds", [60, 600])
def test_there_is_time_to_drain(seconds: float) -> None:
    plan = make_scenario(1, seconds)
    assert plan.seconds - plan.faults_s >= min(seconds / 2, 150)
