"""One environment as it was synthesized: its templates as one graph, and the two services in it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stacks.values import Environment


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource of one template. `path` is its construct path: the way to the code that made it."""

    logical_id: str
    type: str
    path: str
    template: str
    properties: Mapping[str, Any] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Finding:
    """A breach: `text` says what, where and what to do; `property_` is what to look at in the resource."""

    text: str
    resource: Resource
    property_: str


@dataclass(frozen=True, kw_only=True)
class ServiceView:
    """A service with what belongs to it. `variables` are the container's: text, or an intrinsic function."""

    name: str
    service: Resource
    task: Resource
    container: Mapping[str, Any]
    variables: Mapping[str, Any]
    pairs: tuple[tuple[Resource, Resource], ...]
    """Each queue that it works through and the dead-letter queue behind it, one pair for each priority."""
    policies: tuple[Resource, ...]

    @property
    def queue(self) -> Resource:
        """Of normal priority."""
        return self.pairs[0][0]

    @property
    def dead_letter_queue(self) -> Resource:
        return self.pairs[0][1]

    def number(self, variable: str) -> float | None:
        """The value of a variable that holds a number; None when it is not set or not a number."""
        try:
            return float(self.variables[variable])
        except (KeyError, TypeError, ValueError):
            return None


class Deployment:
    """The resources of all stacks of one environment, and how they refer to each other."""

    def __init__(self, environment: Environment, templates: Mapping[str, Mapping[str, Any]]) -> None:
        """`templates`: by file name, as synthesized."""
        self.environment = environment
        self.resources: list[Resource] = []
        self._by_id: dict[tuple[str, str], Resource] = {}
        self._exports: dict[str, tuple[str, Any]] = {}
        for file, template in templates.items():
            for logical_id, body in template.get("Resources", {}).items():
                path = body.get("Metadata", {}).get("aws:cdk:path", logical_id)
                resource = Resource(
                    logical_id=logical_id,
                    type=body["Type"],
                    path=path,
                    template=file,
                    properties=body.get("Properties", {}),
                )
                self.resources.append(resource)
                self._by_id[file, logical_id] = resource
            for output in template.get("Outputs", {}).values():
                name = output.get("Export", {}).get("Name")
                if isinstance(name, str):
                    self._exports[name] = (file, output["Value"])

    @classmethod
    def read(cls, environment: Environment, paths: Iterable[Path]) -> "Deployment":
        """From template files."""
        return cls(environment, {str(path): json.loads(path.read_text()) for path in paths})

    def of_type(self, type_: str) -> list[Resource]:
        return [resource for resource in self.resources if resource.type == type_]

    def target(self, template: str, value: object) -> Resource | None:
        """The resource that a Ref, GetAtt or ImportValue in this template leads to, or None."""
        if not isinstance(value, Mapping) or len(value) != 1:
            return None
        ((function, argument),) = value.items()
        if function == "Fn::ImportValue" and isinstance(argument, str):
            exported = self._exports.get(argument)
            return self.target(*exported) if exported else None
        if function == "Ref" and isinstance(argument, str):
            return self._by_id.get((template, argument))
        if function == "Fn::GetAtt":
            name = argument[0] if isinstance(argument, list) else str(argument).split(".")[0]
            return self._by_id.get((template, name))
        return None

    def services(self) -> Iterator[ServiceView]:
        """The ECS services, by their SERVICE_MODE. One without a task definition or a queue is left out."""
        for service in self.of_type("AWS::ECS::Service"):
            task = self.target(service.template, service.properties.get("TaskDefinition"))
            container = next((c for c in task.properties["ContainerDefinitions"]), None) if task else None
            if task is None or container is None:
                continue
            variables = {item["Name"]: item.get("Value") for item in container.get("Environment", ())}
            dead = [
                self.target(task.template, value)
                for name, value in variables.items()
                if name.endswith("_DLQ_URL")
            ]
            pairs = [(queue, dlq) for dlq in dead if dlq and (queue := self._source_of(dlq))]
            if not pairs or len(pairs) < len(dead):
                continue
            yield ServiceView(
                name=str(variables.get("SERVICE_MODE")),
                service=service,
                task=task,
                container=container,
                variables=variables,
                pairs=tuple(pairs),
                policies=tuple(self._policies_of(service)),
            )

    def _source_of(self, dead_letter_queue: Resource) -> Resource | None:
        for queue in self.of_type("AWS::SQS::Queue"):
            redrive = queue.properties.get("RedrivePolicy", {})
            if self.target(queue.template, redrive.get("deadLetterTargetArn")) == (dead_letter_queue):
                return queue
        return None

    def _policies_of(self, service: Resource) -> Iterator[Resource]:
        for policy in self.of_type("AWS::ApplicationAutoScaling::ScalingPolicy"):
            target = self.target(policy.template, policy.properties.get("ScalingTargetId"))
            if target is not None and service.logical_id in json.dumps(target.properties.get("ResourceId")):
                yield policy
