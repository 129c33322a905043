"""In which order, and on which runners, the real stacks are deployed."""

import pytest

from ops.assembly.load import in_order, load_assembly
from ops.deploy.runners import runners
from stacks.environments import ENVIRONMENTS


@pytest.mark.parametrize("environment", [environment.name for environment in ENVIRONMENTS])
def test_consumers_come_before_producers_and_both_after_what_they_need(assembly, environment):
    order = [stack.name for stack in in_order(load_assembly(assembly), environment)]
    assert order.index("worker") < order.index("orchestrator")
    for needed in ("storage", "messaging", "network"):
        assert order.index(needed) < order.index("worker")


def test_staging_rehearses_the_architecture_of_prod(assembly):
    found = runners(load_assembly(assembly))
    assert found.keys() == {environment.name for environment in ENVIRONMENTS}
    assert found["staging"] == found["prod"] == "ubuntu-24.04-arm"
