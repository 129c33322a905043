"""A synthesized deployment with one thing changed, to show that an invariant notices."""

import copy
from collections.abc import Callable
from typing import Any

from stacks.validation.deployment import Deployment
from stacks.values import Environment


def altered(
    deployment: Deployment,
    type_: str,
    change: Callable[[dict[str, Any]], None],
    *,
    path: str = "",
    environment: Environment | None = None,
) -> Deployment:
    """`change` is applied to the copied properties of each resource of the type whose path holds `path`."""
    twin = copy.deepcopy(deployment)
    hits = [resource for resource in twin.of_type(type_) if path in resource.path]
    assert hits, f"no {type_} at {path!r}"
    for resource in hits:
        assert isinstance(resource.properties, dict)
        change(resource.properties)
    if environment is not None:
        twin.environment = environment
    return twin


def variable(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    """Set an environment variable of the service's container."""

    def change(properties: dict[str, Any]) -> None:
        variables = properties["ContainerDefinitions"][0]["Environment"]
        variables[:] = [item for item in variables if item["Name"] != name] + [{"Name": name, "Value": value}]

    return change
