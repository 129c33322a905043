"""A task has as long to stop as it thinks it has."""

from collections.abc import Iterator

from stacks.validation.deployment import Deployment, Finding

FARGATE_CAP_S = 120


def check(deployment: Deployment) -> Iterator[Finding]:
    for service in deployment.services():
        timeout = service.container.get("StopTimeout", 30)
        if timeout > FARGATE_CAP_S:
            yield Finding(
                f"The {service.name} asks for {timeout} s to stop; Fargate gives at most {FARGATE_CAP_S}. "
                f"Set stop_timeout to {FARGATE_CAP_S} s or less.",
                service.task,
                "ContainerDefinitions",
            )
        said = service.number("STOP_TIMEOUT_S")
        if said is not None and said > timeout:
            yield Finding(
                f"The {service.name} is told that it has {said:g} s to stop and is killed after {timeout}. "
                "Set STOP_TIMEOUT_S from the container's stop_timeout.",
                service.task,
                "ContainerDefinitions",
            )
