"""An optional collector beside a service."""

import aws_cdk as cdk
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.constructs.expiring_logs import ExpiringLogs

# The services write their own metrics to their logs. What they cannot see is each container as ECS sees it.
_CONFIGURATION = """\
receivers:
  awsecscontainermetrics: {{collection_interval: 60s}}
processors:
  batch: {{timeout: 60s}}
exporters:
  awsemf:
    namespace: ExportProcessing/Containers
    log_group_name: {log_group}
    log_stream_name: containers
    resource_to_telemetry_conversion: {{enabled: true}}
service:
  pipelines:
    metrics: {{receivers: [awsecscontainermetrics], processors: [batch], exporters: [awsemf]}}
"""


class TelemetrySidecar(Construct):
    """Builds:

    - a second, unessential container with the AWS Distro for OpenTelemetry's collector, which turns the
      task's metrics (memory, CPU, network, disk, each container apart) into CloudWatch metrics;
    - its log group, and the task's right to write there.

    It lives on what the service's container limit leaves of the task, so that turning it on or off changes
    nothing for the service.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        task_definition: ecs.FargateTaskDefinition,
        image: str,
        memory_mib: int,
        retention_days: int,
    ) -> None:
        super().__init__(scope, id_)
        logs = ExpiringLogs(self, "Logs", retention_days=retention_days).group
        task_definition.add_container(
            "telemetry",
            essential=False,
            image=ecs.ContainerImage.from_registry(image),
            environment={"AOT_CONFIG_CONTENT": _CONFIGURATION.format(log_group=logs.log_group_name)},
            logging=ecs.LogDrivers.aws_logs(stream_prefix="telemetry", log_group=logs),
            memory_limit_mib=memory_mib,
            readonly_root_filesystem=True,
            stop_timeout=cdk.Duration.seconds(30),
        )
        task_definition.add_to_task_role_policy(
            iam.PolicyStatement(
                actions=["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                resources=[logs.log_group_arn],
            )
        )
