"""A Fargate service that takes its work from a queue."""

from collections.abc import Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.acknowledgements import INLINE_POLICY, acknowledge, wildcard
from stacks.constructs.backlog_scaling import BacklogScaling
from stacks.constructs.expiring_logs import ExpiringLogs
from stacks.constructs.queue_with_dlq import QueueWithDlq
from stacks.constructs.runbook_alarm import RunbookAlarm
from stacks.constructs.service_image import service_image
from stacks.constructs.service_role import ServiceRole
from stacks.constructs.telemetry import TelemetrySidecar
from stacks.network import NetworkStack
from stacks.runtime_metrics import runtime_metric
from stacks.values import Environment, Service

SCRATCH = "/scratch"
# The most that Fargate allows. Spot gives the same two minutes.
STOP_TIMEOUT = cdk.Duration.seconds(120)
# What the image's own user is (runtime/Dockerfile).
_USER = "10001:10001"
# More than a bad export or two; a version that cannot do its work fails by the dozen.
_SUSPECT_FAILURES_A_MINUTE = 5


class QueueService(Construct):
    """Builds:

    - the task definition: one read-only, unprivileged container with a health check and two minutes to stop;
    - its log group, and a security group without inbound rules;
    - the service: rolling deployments with rollback, on the environment's mix of on-demand and Spot;
    - an alarm that rolls a deployment back when its work fails in ways that a version can cause;
    - scaling by backlog and CPU;
    - a telemetry side-car, when the environment names an image for it.

    The task role starts empty but for scale-in protection of the service's own tasks; `allow` adds to it.
    With TRACING `xray` among the settings it may send spans there as well.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        environment: Environment,
        values: Service,
        network: NetworkStack,
        module: str,
        work: Sequence[QueueWithDlq],
        settings: Mapping[str, str],
        scratch: bool = False,
    ) -> None:
        super().__init__(scope, id_)
        self._environment = environment
        self._values = values
        self._network = network
        self._mode = settings["SERVICE_MODE"]
        self.logs = ExpiringLogs(
            self,
            "Logs",
            retention_days=environment.log_retention_days,
            retained=environment.storage.protected,
        )
        self.task_definition = self._task_definition()
        self.container = self._container(module=module, settings=settings, scratch=scratch)
        if environment.telemetry_image is not None:
            TelemetrySidecar(
                self,
                "Telemetry",
                task_definition=self.task_definition,
                image=environment.telemetry_image,
                memory_mib=values.task_memory_mib - values.container_memory_mib,
                retention_days=environment.log_retention_days,
            )
        self.service = self._service()
        self._roll_back_when_failing()
        self.scaling = BacklogScaling(
            self, "Scaling", service=self.service, queues=[pair.queue for pair in work], values=values
        )
        tasks = f"arn:aws:ecs:{environment.region}:{environment.account}:task/{environment.cluster_name}/*"
        self.allow(["ecs:UpdateTaskProtection"], [tasks])
        traced = settings.get("TRACING") == "xray"
        if traced:
            # "Actions, resources, and condition keys for AWS X-Ray": it knows no resource.
            self.allow(["xray:PutTraceSegments"], ["*"])
        acknowledge(
            self.task_definition,
            {
                "AwsSolutions-ECS2": "The variables are names, sizes and durations; credentials come from "
                "Secrets Manager at run time",
            },
        )
        acknowledge(
            self.task_definition.task_role,
            {
                "NIST.800.53.R5-IAMNoInlinePolicy": INLINE_POLICY,
                # One service could protect the other's tasks too. ECS tells them apart by tags alone, and a
                # tag that goes missing would leave busy tasks unprotected: the worse of the two.
                wildcard(tasks): "A task protects itself from scale-in; its id is not known before it runs. "
                "All that protecting a task of the other service could do is delay its scale-in",
                **({wildcard("*"): "X-Ray takes spans for an account, no resource"} if traced else {}),
            },
        )
        acknowledge(
            self.task_definition.obtain_execution_role(),
            {
                "NIST.800.53.R5-IAMNoInlinePolicy": INLINE_POLICY,
                wildcard(
                    "*"
                ): "ecr:GetAuthorizationToken knows no resource; it only fetches the log-in for pulls",
            },
        )

    def allow_seeing_itself(self) -> None:
        """Let the tasks look at their own service, to learn that they are too many or of an old version."""
        # A policy of its own: the service waits for the role's, which therefore cannot name the service.
        policy = iam.Policy(
            self,
            "OwnService",
            roles=[self.task_definition.task_role],
            statements=[
                iam.PolicyStatement(actions=["ecs:DescribeServices"], resources=[self.service.service_arn])
            ],
        )
        acknowledge(policy, {"NIST.800.53.R5-IAMNoInlinePolicy": INLINE_POLICY})

    def allow(
        self,
        actions: Sequence[str],
        resources: Sequence[str],
        conditions: Mapping[str, Mapping[str, object]] | None = None,
    ) -> None:
        """Let the tasks do these actions on these resources (ARNs), and nothing beside."""
        self.task_definition.add_to_task_role_policy(
            iam.PolicyStatement(
                actions=list(actions), resources=list(resources), conditions=dict(conditions or {})
            )
        )

    def _task_definition(self) -> ecs.FargateTaskDefinition:
        arm = self._environment.architecture == "arm64"
        return ecs.FargateTaskDefinition(
            self,
            "Task",
            cpu=self._values.cpu,
            memory_limit_mib=self._values.task_memory_mib,
            task_role=ServiceRole(self, "TaskRole", service="ecs-tasks", source=("ecs", "*")),
            execution_role=ServiceRole(self, "ExecutionRole", service="ecs-tasks", source=("ecs", "*")),
            ephemeral_storage_gib=self._values.ephemeral_storage_gib,
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=ecs.CpuArchitecture.ARM64 if arm else ecs.CpuArchitecture.X86_64,
                operating_system_family=ecs.OperatingSystemFamily.LINUX,
            ),
        )

    def _container(
        self, *, module: str, settings: Mapping[str, str], scratch: bool
    ) -> ecs.ContainerDefinition:
        linux = ecs.LinuxParameters(self, "Linux", init_process_enabled=True)
        linux.drop_capabilities(ecs.Capability.ALL)
        container = self.task_definition.add_container(
            "app",
            image=service_image(self._environment),
            command=["python", "-m", module],
            environment=dict(settings),
            health_check=ecs.HealthCheck(
                command=["CMD", "python", "-m", "runtime.shared.healthcheck"],
                interval=cdk.Duration.seconds(30),
                timeout=cdk.Duration.seconds(10),
                retries=3,
                start_period=cdk.Duration.seconds(60),
            ),
            linux_parameters=linux,
            logging=ecs.LogDrivers.aws_logs(stream_prefix="app", log_group=self.logs.group),
            memory_limit_mib=self._values.container_memory_mib,
            readonly_root_filesystem=True,
            stop_timeout=STOP_TIMEOUT,
            user=_USER,
        )
        if scratch:
            self.task_definition.add_volume(name="scratch")
            container.add_mount_points(
                ecs.MountPoint(container_path=SCRATCH, source_volume="scratch", read_only=False)
            )
        return container

    def _service(self) -> ecs.FargateService:
        values = self._values
        group = ec2.SecurityGroup(
            self,
            "Group",
            vpc=self._network.vpc,
            description="Tasks: HTTPS out, nothing in",
            allow_all_outbound=False,
        )
        group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "Export API and AWS")
        strategies = [
            ecs.CapacityProviderStrategy(
                capacity_provider="FARGATE", base=values.on_demand_base, weight=values.on_demand_weight
            )
        ]
        if values.spot_weight:
            strategies.append(
                ecs.CapacityProviderStrategy(capacity_provider="FARGATE_SPOT", weight=values.spot_weight)
            )
        # No desired count: scaling owns it, and one in the template would undo it with every deployment.
        service = ecs.FargateService(
            self,
            "Service",
            assign_public_ip=self._network.assign_public_ip,
            # Rebalancing would stop busy tasks to even out zones that Fargate already spreads over.
            availability_zone_rebalancing=ecs.AvailabilityZoneRebalancing.DISABLED,
            capacity_provider_strategies=strategies,
            circuit_breaker=ecs.DeploymentCircuitBreaker(enable=True, rollback=True),
            cluster=self._network.cluster,
            max_healthy_percent=200,
            min_healthy_percent=100,
            propagate_tags=ecs.PropagatedTagSource.SERVICE,
            security_groups=[group],
            task_definition=self.task_definition,
            vpc_subnets=self._network.task_subnets,
        )
        # A busy task drains for hours behind scale-in protection. The deployment is judged on the new tasks'
        # health and the old ones go when they are done.
        resource = service.node.default_child
        assert isinstance(resource, ecs.CfnService)
        resource.add_property_override(
            "DeploymentConfiguration.EarlySuccessCriteria",
            {"Enable": True, "HealthyPercent": 100, "SourceServiceRevisionCleanup": "DEFERRED"},
        )
        return service

    def _roll_back_when_failing(self) -> None:
        """A version that fails at what the last one did is bad, however healthy its tasks are."""
        period = cdk.Duration.minutes(1)
        alarm = RunbookAlarm(
            self,
            "VersionAlarm",
            runbook=self._environment.runbook_url,
            section="deployment-fails-at-its-work",
            meaning="Work fails in ways that a version can cause; a deployment under way is rolled back.",
            metric=runtime_metric(self._environment.name, self._mode, "SuspectFailures", period=period),
            threshold=_SUSPECT_FAILURES_A_MINUTE,
            for_minutes=2,
            period=period,
        )
        self.service.enable_deployment_alarms(
            [alarm.alarm_name], behavior=ecs.AlarmBehavior.ROLLBACK_ON_ALARM
        )
