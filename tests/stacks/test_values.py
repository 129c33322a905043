"""A copy of values is checked like the values themselves, and so is the example in the documentation."""

import re

import pytest
from pydantic import ValidationError

from stacks.environments import DEV, PROD, STAGING
from stacks.values import Load, Service
from tests.stacks.conftest import ROOT


def test_a_copy_differs_in_what_was_named_and_in_nothing_else():
    perf = STAGING.derive(name="perf", network={"cidr": "10.43.0.0/18"}, worker=PROD.worker)

    assert perf.network.cidr == "10.43.0.0/18"
    assert perf.network.model_dump(exclude={"cidr"}) == STAGING.network.model_dump(exclude={"cidr"})
    assert perf.worker == PROD.worker
    changed = {name for name in type(perf).model_fields if getattr(perf, name) != getattr(STAGING, name)}
    assert changed == {"name", "network", "worker"}


def test_what_was_left_to_its_default_is_still_left_to_it():
    assert DEV.derive(name="other").model_fields_set == DEV.model_fields_set


@pytest.mark.parametrize(
    ("copy", "named"),
    [
        (lambda: PROD.worker.derive(spot_wieght=1), "spot_wieght"),
        (lambda: PROD.worker.derive(ephemeral_storage_gb=100), "ephemeral_storage_gb"),
        (lambda: PROD.derive(worker={"ephemeral_storage_gb": 100, "spot_wieght": 1}), "spot_wieght"),
        (lambda: PROD.derive(worker={"min_tasks": 300}), "below min_tasks 300"),
        (lambda: PROD.derive(wroker={"min_tasks": 3}), "wroker"),
        (lambda: PROD.derive(worker=None), "worker"),
        (lambda: PROD.derive(worker=PROD.load), "worker"),
        (lambda: PROD.model_copy(update={"worker": PROD.worker.model_copy(update={"cpu": 3})}), "cpu"),
        (lambda: PROD.derive(worker=Service.model_construct(**dict(PROD.worker) | {"cpu": 3})), "cpu"),
        (
            lambda: PROD.derive(load=Load.model_construct(**dict(PROD.load) | {"export_jobs_per_day": 0})),
            "export_jobs_per_day",
        ),
        (lambda: PROD.load.derive(longest_outage_hours=float("nan")), "longest_outage_hours"),
        (lambda: PROD.load.derive(longest_outage_hours=float("inf")), "longest_outage_hours"),
    ],
)
def test_a_misspelt_or_impossible_copy_names_the_field(copy, named):
    with pytest.raises(ValidationError, match=named):
        copy()


def test_the_documented_environment_can_be_written():
    page = (ROOT / "docs" / "environments.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    written = {"DEV": DEV, "STAGING": STAGING, "PROD": PROD}
    exec(example, written)

    assert written["PERF"].name == "perf"
    assert written["PERF"] in written["ENVIRONMENTS"]
