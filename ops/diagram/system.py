"""The system of one environment, as nodes and flows between them, read from its templates."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ops.assembly.load import Assembly
from ops.assembly.model import Json, Resource, Stack
from ops.assembly.tokens import text_of, texts_of
from ops.diagram.describe import bucket_lines, queue_lines, service_lines, table_lines
from ops.diagram.templates import Place, Templates

_NODE_KINDS = {
    "AWS::SQS::Queue": "queue",
    "AWS::DynamoDB::Table": "table",
    "AWS::DynamoDB::GlobalTable": "table",
    "AWS::S3::Bucket": "bucket",
    "AWS::SecretsManager::Secret": "secret",
    "AWS::ECS::Service": "service",
}
# What an ARN without a resource in these templates names: something owned by others.
_OUTSIDE = {"dynamodb": "table", "s3": "bucket", "sqs": "queue", "secretsmanager": "secret", "events": "bus"}


@dataclass(frozen=True, kw_only=True)
class Node:
    """One box: its kind, its short name, and lines that say how it is configured."""

    id: str
    kind: str
    title: str
    lines: tuple[str, ...] = ()
    outside: bool = False


@dataclass(frozen=True)
class Flow:
    """Data that moves between a service and another node. `way` is out (from the service), in, or both."""

    service: str
    node: str
    label: str
    way: str


@dataclass(kw_only=True)
class System:
    """One environment as drawn: nodes in the order of the templates, flows, dead-letter queues by queue."""

    environment: str
    target: str
    nodes: dict[str, Node] = field(default_factory=dict)
    flows: list[Flow] = field(default_factory=list)
    dead_letters: dict[str, str] = field(default_factory=dict)

    def of_kind(self, *kinds: str) -> list[Node]:
        return [node for node in self.nodes.values() if node.kind in kinds]


def read_system(assembly: Assembly, environment: str) -> System:
    """Everything that the picture of this environment shows."""
    templates = Templates(assembly, environment)
    system = System(
        environment=environment, target=templates.stacks[0].target.removeprefix("aws://").replace("/", " ")
    )
    for stack, resource in templates.every(*_NODE_KINDS):
        node = _node(templates, stack, resource)
        system.nodes[node.id] = node
    for stack, queue in templates.every("AWS::SQS::Queue"):
        target = queue.properties.get("RedrivePolicy", {}).get("deadLetterTargetArn")
        place = templates.resolve(stack, target)
        if isinstance(place, tuple):
            system.dead_letters[_id((stack.name, queue.logical_id))] = _id(place)
    for stack, service in templates.every("AWS::ECS::Service"):
        _add_flows(system, templates, stack, service)
    return system


def _id(place: Place) -> str:
    return "/".join(place)


def _node(templates: Templates, stack: Stack, resource: Resource) -> Node:
    kind = _NODE_KINDS[resource.type]
    place = _id((stack.name, resource.logical_id))
    properties = resource.properties
    if kind == "service":
        return Node(
            id=place, kind=kind, title=stack.name, lines=tuple(service_lines(templates, stack, resource))
        )
    if kind == "queue":
        return Node(
            id=place,
            kind=kind,
            title=_short(stack, properties.get("QueueName"), resource),
            lines=tuple(queue_lines(properties)),
        )
    if kind == "table":
        lines = tuple(table_lines(properties))
        return Node(
            id=place, kind=kind, title=_short(stack, properties.get("TableName"), resource), lines=lines
        )
    if kind == "bucket":
        lines = tuple(bucket_lines(properties))
        return Node(
            id=place, kind=kind, title=_short(stack, properties.get("BucketName"), resource), lines=lines
        )
    return Node(
        id=place, kind=kind, title=_short(stack, properties.get("Name"), resource), lines=("Secrets Manager",)
    )


def _short(stack: Stack, name: Any, resource: Resource) -> str:
    """A physical name less what names the stack; otherwise the logical id less CDK's hash, in words."""
    if name is not None:
        return text_of(name).rpartition(f"{stack.environment}-{stack.name}-")[2]
    bare = re.sub(r"[0-9A-F]{8}$", "", resource.logical_id)
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", bare).lower()


def _add_flows(system: System, templates: Templates, stack: Stack, service: Resource) -> None:
    place = templates.resolve(stack, service.properties["TaskDefinition"])
    if not isinstance(place, tuple):
        return
    role = templates.resolve(stack, stack.resources[place[1]].properties["TaskRoleArn"])
    granted: dict[str, set[str]] = {}
    for where, policy in templates.every("AWS::IAM::Policy"):
        if role in [templates.resolve(where, holder) for holder in policy.properties.get("Roles", [])]:
            for statement in policy.properties["PolicyDocument"]["Statement"]:
                for node in _subjects(system, templates, where, statement):
                    granted.setdefault(node, set()).update(texts_of(statement["Action"]))
    source = _id((stack.name, service.logical_id))
    for name, address in _hosts(stack.resources[place[1]].properties):
        host = Node(id=f"host:{name}", kind="host", title=name, lines=(address, "outside AWS"), outside=True)
        system.nodes.setdefault(host.id, host)
        system.flows.append(Flow(source, host.id, "answers", "in"))
    for node, actions in granted.items():
        label, way = _what(system.nodes[node], actions, node in system.dead_letters.values())
        system.flows.append(Flow(source, node, label, way))


def _hosts(task: Json) -> Iterator[tuple[str, str]]:
    """(name, address) of the systems outside AWS that a task is told of: settings that are a base URL."""
    for container in task["ContainerDefinitions"]:
        for variable in container.get("Environment", []):
            name, suffix, _ = variable["Name"].partition("_BASE_URL")
            if suffix:
                yield name.replace("_", " ").lower(), text_of(variable["Value"]).removeprefix("https://")


def _subjects(system: System, templates: Templates, stack: Stack, statement: Json) -> Iterator[str]:
    listed = statement["Resource"]
    for value in listed if isinstance(listed, list) else [listed]:
        place = templates.resolve(stack, value)
        if isinstance(place, tuple):
            if _id(place) in system.nodes:
                yield _id(place)
        elif (node := _outside(place)) is not None:
            system.nodes.setdefault(node.id, node)
            yield node.id


def _outside(arn: str) -> Node | None:
    parts = arn.split(":", 5)
    kind = _OUTSIDE.get(parts[2]) if len(parts) == 6 else None
    if kind is None or parts[5] == "*":
        return None
    name = parts[5].split("/")[1] if kind in ("table", "bus") and "/" in parts[5] else parts[5].split("/")[0]
    title = f"{name} event bus" if kind == "bus" else name
    return Node(
        id=f"{kind}:{name}",
        kind=kind,
        title=title,
        lines=("EventBridge" if kind == "bus" else "owned by others",),
        outside=True,
    )


def _what(node: Node, actions: set[str], dead_letters: bool) -> tuple[str, str]:
    """(label, way) of what a service may do with a node."""
    verbs = {action.partition(":")[2] for action in actions}
    if node.kind == "queue":
        if dead_letters:
            return "parks", "out"
        if "ReceiveMessage" in verbs:
            return ("receives, hands over", "both") if "SendMessage" in verbs else ("receives", "in")
        return "sends", "out"
    if node.kind == "bus":
        return "announces", "out"
    writes = any(verb.startswith(("Put", "Update", "Delete", "BatchWrite", "*")) for verb in verbs)
    reads = any(verb.startswith(("Get", "BatchGet", "Query", "Scan", "*")) for verb in verbs)
    label = ", ".join([*(["reads"] if reads else []), *(["writes"] if writes else [])])
    return label, "both" if reads and writes else "out" if writes else "in"
