"""How many vCPUs an environment's services take: at least, at most, and while they are replaced."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from ops.assembly.model import AssemblyError, Json, Resource, Stack
from ops.assembly.tokens import references, text_of

_UNITS_PER_VCPU = 1024
ON_DEMAND, SPOT = "FARGATE", "FARGATE_SPOT"


@dataclass(frozen=True, kw_only=True)
class Demand:
    """vCPUs of one capacity provider."""

    least: float
    most: float
    deploying: float


def demand(stacks: Sequence[Stack], provider: str) -> Demand:
    """The tasks that all services of the environment take of one capacity provider. Raises AssemblyError."""
    services = [service for stack in stacks for service in _services(stack)]
    return Demand(
        least=sum(service.vcpus(service.least, provider) for service in services),
        most=sum(service.vcpus(service.most, provider) for service in services),
        deploying=sum(service.vcpus(service.while_replaced, provider) for service in services),
    )


@dataclass(frozen=True, kw_only=True)
class _Service:
    vcpus_per_task: float
    least: int
    most: int
    surge_percent: int
    strategy: tuple[Json, ...]

    @property
    def while_replaced(self) -> int:
        return self.most * self.surge_percent // 100

    def vcpus(self, tasks: int, provider: str) -> float:
        """ECS fills the base first, then shares the rest by weight."""
        bases = sum(int(item.get("Base", 0)) for item in self.strategy)
        weights = sum(int(item.get("Weight", 0)) for item in self.strategy)
        placed = 0
        for item in self.strategy:
            if item["CapacityProvider"] == provider:
                base = min(int(item.get("Base", 0)), tasks)
                rest = max(tasks - bases, 0)
                placed += base + (ceil(rest * int(item.get("Weight", 0)) / weights) if weights else 0)
        return placed * self.vcpus_per_task


def _services(stack: Stack) -> Iterator[_Service]:
    for service in stack.of_type("AWS::ECS::Service"):
        task = _behind(stack, service.properties.get("TaskDefinition"))
        target = _target_of(stack, service)
        fixed = int(service.properties.get("DesiredCount", 1))
        deployment = service.properties.get("DeploymentConfiguration", {})
        yield _Service(
            vcpus_per_task=int(task.properties["Cpu"]) / _UNITS_PER_VCPU,
            least=int(target.properties["MinCapacity"]) if target else fixed,
            most=int(target.properties["MaxCapacity"]) if target else fixed,
            surge_percent=int(deployment.get("MaximumPercent", 200)),
            strategy=tuple(service.properties.get("CapacityProviderStrategy", ()))
            or ({"CapacityProvider": ON_DEMAND, "Weight": 1},),
        )


def _behind(stack: Stack, value: Any) -> Resource:
    for name in references(value):
        if name in stack.resources:
            return stack.resources[name]
    raise AssemblyError(f"{stack.name}: {text_of(value)} is no task definition of this stack")


def _target_of(stack: Stack, service: Resource) -> Resource | None:
    targets: Iterable[Resource] = stack.of_type("AWS::ApplicationAutoScaling::ScalableTarget")
    return next(
        (
            target
            for target in targets
            if service.logical_id in references(target.properties.get("ResourceId"))
        ),
        None,
    )
