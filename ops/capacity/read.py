"""The deployment, as far as capacity and cost hang on it: read from the synthesized templates."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ops.assembly.model import AssemblyError, Json, Resource, Stack
from ops.assembly.tokens import references, texts_of
from ops.capacity.alarms import Alarm, alarms_of
from ops.capacity.workload import PromisedLoad

SPOT = "FARGATE_SPOT"
_DEFAULT_RETENTION_S = 345_600.0  # SQS keeps four days where nothing is said
Policy = Literal["cpu", "expression"]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric of a policy's expression; `first_queue`: of the service's first queue, or of no queue."""

    id: str
    name: str
    first_queue: bool


@dataclass(frozen=True, kw_only=True)
class ScalingPolicy:
    """A target-tracking policy. Without an expression it tracks the service's CPU, in percent."""

    target: float
    out_s: int
    in_s: int
    expression: str | None = None
    metrics: tuple[Metric, ...] = ()
    queues: tuple[str, ...] = ()
    """The queues that it counts, as the templates name them, the first one first."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service as its templates have it. Weights as in its capacity-provider strategy."""

    name: str
    cpu: int
    memory_mib: int
    container_mib: int
    disk_gib: int
    arm: bool
    least: int
    most: int
    surge_percent: int
    on_demand_base: int
    on_demand_weight: int
    spot_weight: int
    public_ip: bool
    policies: tuple[ScalingPolicy, ...]
    settings: dict[str, str]

    @property
    def cores(self) -> float:
        """vCPUs of a task."""
        return self.cpu / 1024

    @property
    def slots(self) -> int:
        """Messages that a task may have in hand."""
        return int(self.settings["SLOTS"])

    @property
    def backlog_target(self) -> float:
        """Messages a task that scaling aims at; its slots where no policy counts messages."""
        return next((p.target for p in self.policies if p.expression), float(self.slots))

    @property
    def queues(self) -> tuple[str, ...]:
        """The queues that scaling counts, as the templates name them."""
        return next((p.queues for p in self.policies if p.queues), ())

    @property
    def cpu_target(self) -> float:
        """The share of a task's CPU that scaling aims at; all of it where no policy looks at CPU."""
        return next((p.target / 100 for p in self.policies if p.expression is None), 1.0)

    def split(self, tasks: int) -> tuple[int, int]:
        """(on demand, Spot): ECS fills the base first and shares the rest by weight."""
        base = min(self.on_demand_base, tasks)
        weights = self.on_demand_weight + self.spot_weight
        more = -(-(tasks - base) * self.on_demand_weight // weights) if weights else tasks - base
        return base + more, tasks - base - more


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """One environment. Counts of what is paid by the hour or the month, whatever comes."""

    environment: str
    region: str
    worker: Service
    orchestrator: Service
    load: PromisedLoad
    nat_gateways: int
    endpoint_interfaces: int
    sqs_endpoint: bool
    zones: int
    keys: int
    secrets: int
    alarms: int
    composite_alarms: int
    dashboards: int
    insights: bool
    alarm_rules: tuple[Alarm, ...] = ()
    retention_s: float = 1_209_600.0
    """How long SQS keeps a message of the worker's queue."""
    in_flight_limit: int = 120_000
    """Of one standard queue; more are refused until some are done."""

    def scaled(self, factor: float) -> "Deployed":
        """The same for `factor` times the load: bounds grow with it, everything else stays."""
        return replace(
            self,
            load=replace(self.load, export_jobs_per_day=self.load.export_jobs_per_day * factor),
            worker=_wider(self.worker, factor),
            orchestrator=_wider(self.orchestrator, factor),
        )


def _wider(service: Service, factor: float) -> Service:
    return replace(
        service,
        least=round(service.least * factor),
        most=round(service.most * factor),
        on_demand_base=round(service.on_demand_base * factor),
    )


def deployed(stacks: Sequence[Stack]) -> Deployed:
    """One environment's stacks, read. Raises AssemblyError where something that is needed is not there."""
    load = next((stack.notes["load"] for stack in stacks if "load" in stack.notes), None)
    if load is None:
        raise AssemblyError(
            f"{stacks[0].environment}: no stack says what load it is for (construct metadata 'load'); "
            "the assembly is of a revision before the capacity model"
        )
    endpoints = [
        endpoint for endpoint in _all(stacks, "AWS::EC2::VPCEndpoint") if endpoint.properties.get("SubnetIds")
    ]
    zones = {str(s.properties.get("AvailabilityZone")) for s in _all(stacks, "AWS::EC2::Subnet")}
    clusters = list(_all(stacks, "AWS::ECS::Cluster"))
    worker = _service(stacks, "worker")
    return Deployed(
        environment=stacks[0].environment,
        region=stacks[0].region,
        worker=worker,
        orchestrator=_service(stacks, "orchestrator"),
        load=PromisedLoad.of(load),
        nat_gateways=sum(1 for _ in _all(stacks, "AWS::EC2::NatGateway")),
        endpoint_interfaces=sum(len(endpoint.properties["SubnetIds"]) for endpoint in endpoints),
        sqs_endpoint=any(
            name.endswith(".sqs") for e in endpoints for name in texts_of(e.properties.get("ServiceName"))
        ),
        zones=len(zones),
        keys=sum(1 for _ in _all(stacks, "AWS::KMS::Key")),
        secrets=sum(1 for _ in _all(stacks, "AWS::SecretsManager::Secret")),
        alarms=sum(1 for _ in _all(stacks, "AWS::CloudWatch::Alarm")),
        composite_alarms=sum(1 for _ in _all(stacks, "AWS::CloudWatch::CompositeAlarm")),
        dashboards=sum(1 for _ in _all(stacks, "AWS::CloudWatch::Dashboard")),
        insights=any(
            setting["Name"] == "containerInsights" and setting["Value"] != "disabled"
            for cluster in clusters
            for setting in cluster.properties.get("ClusterSettings", [])
        ),
        alarm_rules=alarms_of(stacks),
        retention_s=min(_retentions(stacks, worker.queues), default=_DEFAULT_RETENTION_S),
    )


def _retentions(stacks: Sequence[Stack], queues: Sequence[str]) -> Iterator[float]:
    """Of each queue that is named; an export's name has the logical id of what it exports in it."""
    for queue in _all(stacks, "AWS::SQS::Queue"):
        if any(queue.logical_id in name for name in queues):
            yield float(queue.properties.get("MessageRetentionPeriod", _DEFAULT_RETENTION_S))


def _all(stacks: Sequence[Stack], *types: str) -> Iterator[Resource]:
    for stack in stacks:
        yield from stack.of_type(*types)


def _service(stacks: Sequence[Stack], mode: str) -> Service:
    """The service whose task runs with this SERVICE_MODE, in whichever stack."""
    for stack in stacks:
        for task in stack.of_type("AWS::ECS::TaskDefinition"):
            for container in task.properties["ContainerDefinitions"]:
                settings = {
                    item["Name"]: item["Value"]
                    for item in container.get("Environment", [])
                    if isinstance(item["Value"], str)
                }
                if settings.get("SERVICE_MODE") == mode:
                    return _read(stack, task, container, settings)
    raise AssemblyError(f"{stacks[0].environment}: no task definition has SERVICE_MODE {mode}")


def _read(stack: Stack, task: Resource, container: Json, settings: dict[str, str]) -> Service:
    service = _naming(stack, "AWS::ECS::Service", "TaskDefinition", task)
    target = _naming(stack, "AWS::ApplicationAutoScaling::ScalableTarget", "ResourceId", service)
    strategy = {
        item["CapacityProvider"]: item for item in service.properties.get("CapacityProviderStrategy", ())
    } or {"FARGATE": {"Weight": 1}}
    on_demand, spot = strategy.get("FARGATE", {}), strategy.get(SPOT, {})
    network = service.properties["NetworkConfiguration"]["AwsvpcConfiguration"]
    return Service(
        name=settings["SERVICE_MODE"],
        cpu=int(task.properties["Cpu"]),
        memory_mib=int(task.properties["Memory"]),
        container_mib=int(container.get("Memory") or task.properties["Memory"]),
        disk_gib=int(task.properties.get("EphemeralStorage", {}).get("SizeInGiB", 20)),
        arm=task.properties.get("RuntimePlatform", {}).get("CpuArchitecture") == "ARM64",
        least=int(target.properties["MinCapacity"]),
        most=int(target.properties["MaxCapacity"]),
        surge_percent=int(service.properties.get("DeploymentConfiguration", {}).get("MaximumPercent", 200)),
        on_demand_base=int(on_demand.get("Base", 0)),
        on_demand_weight=int(on_demand.get("Weight", 0)),
        spot_weight=int(spot.get("Weight", 0)),
        public_ip=network.get("AssignPublicIp") == "ENABLED",
        policies=tuple(_policies(stack, target)),
        settings=settings,
    )


def _naming(stack: Stack, kind: str, where: str, named: Resource) -> Resource:
    """The resource of this kind whose property refers to another."""
    for resource in stack.of_type(kind):
        if named.logical_id in references(resource.properties.get(where)):
            return resource
    raise AssemblyError(f"{stack.environment}/{stack.name}: no {kind} names {named.logical_id}")


def _policies(stack: Stack, target: Resource) -> Iterator[ScalingPolicy]:
    for resource in stack.of_type("AWS::ApplicationAutoScaling::ScalingPolicy"):
        if target.logical_id not in references(resource.properties.get("ScalingTargetId")):
            continue
        tracking = resource.properties["TargetTrackingScalingPolicyConfiguration"]
        expression, metrics, queues = _tracked(stack, tracking)
        yield ScalingPolicy(
            target=float(tracking["TargetValue"]),
            out_s=int(tracking.get("ScaleOutCooldown", 300)),
            in_s=int(tracking.get("ScaleInCooldown", 300)),
            expression=expression,
            metrics=metrics,
            queues=queues,
        )


def _tracked(stack: Stack, tracking: Json) -> tuple[str | None, tuple[Metric, ...], tuple[str, ...]]:
    predefined = tracking.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType")
    if predefined == "ECSServiceAverageCPUUtilization":
        return None, (), ()
    queries = tracking.get("CustomizedMetricSpecification", {}).get("Metrics", [])
    expressions = [query["Expression"] for query in queries if query.get("ReturnData", True)]
    if predefined or len(expressions) != 1:
        raise AssemblyError(
            f"{stack.environment}/{stack.name}: a policy on {predefined or tracking} is not modelled"
        )
    queues: list[Any] = []
    metrics = []
    for query in queries:
        if "MetricStat" in query:
            metric = query["MetricStat"]["Metric"]
            queue = next((d["Value"] for d in metric["Dimensions"] if d["Name"] == "QueueName"), None)
            if queue is not None and queue not in queues:
                queues.append(queue)
            metrics.append(
                Metric(
                    id=query["Id"], name=metric["MetricName"], first_queue=queue is None or queue == queues[0]
                )
            )
    return str(expressions[0]), tuple(metrics), tuple(json.dumps(queue, sort_keys=True) for queue in queues)
