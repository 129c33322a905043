"""What a day needs of the quotas, and which a new account lacks."""

from dataclasses import replace

import numpy as np
import pytest

from ops.capacity.figures import figures
from ops.capacity.model import Play
from ops.capacity.prices import load_prices
from ops.capacity.quotas import quota_rows, quotas
from tests.unit.ops.capacity.small import archives, fixed, played


def needed(tasks=4, **changes):
    """Sixty archives at once, which all end within the same minute."""
    deployed = replace(fixed(tasks, 20), **changes)
    day = played(archives(np.zeros(60), np.full(60, 600)), deployed, how=Play(step_s=60, hours=1))
    return {quota.name: quota for quota in quotas(day, figures(day, load_prices("eu-west-1")))}


def test_each_need_is_the_days_most():
    found = needed()
    assert found["SQS in flight"].needed == 60
    assert found["DynamoDB writes, ledger"].needed == pytest.approx(60 / 60 * (8 + 6))
    assert found["EventBridge PutEvents"].needed == pytest.approx(1)
    assert found["network interfaces, L-DF5E4CA3"].needed == 5
    vcpus = found["Fargate On-Demand, L-3032A538"].needed + found["Fargate Spot, L-36FBB829"].needed
    assert vcpus == 4 * 2 + 0.5


def test_nat_counts_only_where_there_is_one():
    assert "NAT connections" not in needed()
    assert needed(nat_gateways=2)["NAT connections"].needed == 60


def test_what_a_new_account_lacks_and_what_was_not_checked_is_said():
    rows = {name: note for name, _, note in quota_rows(list(needed(tasks=9).values()))}
    assert "too few" in rows["Fargate Spot, L-36FBB829"] + rows["Fargate On-Demand, L-3032A538"]
    assert "too few" not in rows["SQS in flight"]
    assert "not checked" in rows["S3 PUT"]
    assert "not checked" not in rows["SQS in flight"]
