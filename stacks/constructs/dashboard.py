"""One page that answers three questions: are we keeping up, what is failing, what does it cost?"""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from stacks.constructs.event_counter import EventCounter
from stacks.constructs.queue_service import QueueService
from stacks.messaging import MessagingStack
from stacks.network import NetworkStack
from stacks.runtime_metrics import runtime_metric
from stacks.values import Environment, Service

_FIVE_MINUTES = cdk.Duration.minutes(5)
_HOUR = cdk.Duration.hours(1)
_WIDTH = 8
# On-demand list prices in eu-west-1, USD (aws.amazon.com/fargate/pricing, /vpc/pricing): an upper bound of
# the bill, since Spot is about 70 % cheaper. They serve to see a change of size, not to check an invoice.
_USD_PER_VCPU_HOUR = {"x86_64": 0.04048, "arm64": 0.03238}
_USD_PER_GIB_HOUR = {"x86_64": 0.004445, "arm64": 0.00356}
_USD_PER_NAT_GB = 0.048


class Dashboard(Construct):
    """Builds:

    - the environment's CloudWatch dashboard, with one row of graphs for each question and the alarms on top.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        environment: Environment,
        network: NetworkStack,
        messaging: MessagingStack,
        orchestrator: QueueService,
        worker: QueueService,
        waits: Sequence[cloudwatch.IMetric],
        interruptions: EventCounter,
        alarms: Sequence[cloudwatch.IAlarm],
    ) -> None:
        super().__init__(scope, id_)
        self._environment = environment
        dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=environment.cluster_name,
            default_interval=cdk.Duration.hours(12),
        )
        dashboard.add_widgets(
            cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(alarms), width=3 * _WIDTH, height=3)
        )
        self._row(dashboard, "Are we keeping up?", self._keeping_up(messaging, orchestrator, worker, waits))
        self._row(dashboard, "What is failing?", self._failing(messaging, interruptions))
        self._row(dashboard, "What does it cost?", self._cost(network, orchestrator, worker))

    def _row(
        self, dashboard: cloudwatch.Dashboard, question: str, graphs: Sequence[cloudwatch.GraphWidget]
    ) -> None:
        dashboard.add_widgets(cloudwatch.TextWidget(markdown=f"# {question}", width=3 * _WIDTH, height=1))
        dashboard.add_widgets(*graphs)

    def _keeping_up(
        self,
        messaging: MessagingStack,
        orchestrator: QueueService,
        worker: QueueService,
        waits: Sequence[cloudwatch.IMetric],
    ) -> list[cloudwatch.GraphWidget]:
        queues = {
            "export-jobs": messaging.export_jobs.queue,
            "download-tasks": messaging.download_tasks.queue,
        }
        return [
            _graph(
                "Waiting and in flight",
                [
                    metric(label=f"{name}: {label}", period=_FIVE_MINUTES, statistic="Maximum")
                    for name, queue in queues.items()
                    for label, metric in (
                        ("waiting", queue.metric_approximate_number_of_messages_visible),
                        ("in flight", queue.metric_approximate_number_of_messages_not_visible),
                    )
                ],
            ),
            _graph("Hours until a message that comes now is taken", waits),
            _graph(
                "Running tasks",
                [
                    _running(service, f"{name}: running", "Average", _FIVE_MINUTES)
                    for name, service in (("orchestrator", orchestrator), ("worker", worker))
                ],
            ),
            _graph(
                "Messages finished",
                [
                    queue.metric_number_of_messages_deleted(label=name, period=_FIVE_MINUTES, statistic="Sum")
                    for name, queue in queues.items()
                ],
            ),
            _graph(
                "Seconds for one archive (median and slowest hundredth)",
                [
                    runtime_metric(
                        self._environment.name,
                        "worker",
                        name,
                        period=_FIVE_MINUTES,
                        statistic=statistic,
                        label=f"{name} {statistic}",
                    )
                    for name in ("DownloadDuration", "ExtractionDuration", "UploadDuration")
                    for statistic in ("p50", "p99")
                ],
            ),
            _graph(
                "CPU and memory, percent",
                [
                    metric(label=f"{name}: {label}", period=_FIVE_MINUTES)
                    for name, service in (("orchestrator", orchestrator), ("worker", worker))
                    for label, metric in (
                        ("CPU", service.service.metric_cpu_utilization),
                        ("memory", service.service.metric_memory_utilization),
                    )
                ],
            ),
        ]

    def _failing(
        self,
        messaging: MessagingStack,
        interruptions: EventCounter,
    ) -> list[cloudwatch.GraphWidget]:
        return [
            _graph(
                "Dead letters",
                [
                    pair.dead_letter_queue.metric_approximate_number_of_messages_visible(
                        label=name, period=_FIVE_MINUTES, statistic="Maximum"
                    )
                    for name, pair in (
                        ("export-jobs", messaging.export_jobs),
                        ("download-tasks", messaging.download_tasks),
                    )
                ],
            ),
            _graph(
                "Export API",
                [
                    runtime_metric(self._environment.name, "orchestrator", "ApiErrors", period=_FIVE_MINUTES),
                    runtime_metric(
                        self._environment.name,
                        "orchestrator",
                        "CircuitState",
                        period=_FIVE_MINUTES,
                        statistic="Maximum",
                    ),
                ],
                right=[
                    runtime_metric(
                        self._environment.name,
                        "orchestrator",
                        "ApiLatency",
                        period=_FIVE_MINUTES,
                        statistic="p99",
                        label="latency p99",
                    )
                ],
            ),
            _graph(
                "Uploads failed, entries rejected, Spot interruptions",
                [
                    runtime_metric(self._environment.name, "worker", "UploadFailure", period=_FIVE_MINUTES),
                    runtime_metric(self._environment.name, "worker", "EntriesRejected", period=_FIVE_MINUTES),
                    interruptions.metric(period=_FIVE_MINUTES),
                ],
            ),
        ]

    def _cost(
        self, network: NetworkStack, orchestrator: QueueService, worker: QueueService
    ) -> list[cloudwatch.GraphWidget]:
        environment = self._environment
        compute = [
            cloudwatch.MathExpression(
                expression=f"{name}Running*{_usd_per_task_hour(values, environment.architecture):.5f}",
                label=f"{name}: USD an hour at on-demand prices",
                period=_HOUR,
                using_metrics={f"{name}Running": _running(service, name, "Average", _HOUR)},
            )
            for name, service, values in (
                ("orchestrator", orchestrator, environment.orchestrator),
                ("worker", worker, environment.worker),
            )
        ]
        graphs = [
            _graph("Compute", compute),
            _graph(
                "Bytes moved, and bytes that ranged reads did not have to move",
                [
                    runtime_metric(self._environment.name, "worker", name, period=_HOUR)
                    for name in ("BytesDownloaded", "BytesUploaded", "BytesSaved")
                ],
            ),
        ]
        if network.nat_gateway_ids:
            graphs.append(_graph("NAT", [_nat_cost(network.nat_gateway_ids)]))
        return graphs


def _graph(
    title: str, left: Sequence[cloudwatch.IMetric], right: Sequence[cloudwatch.IMetric] = ()
) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(left), right=list(right), width=_WIDTH, height=6)


def _running(service: QueueService, label: str, statistic: str, period: cdk.Duration) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace="ECS/ContainerInsights",
        metric_name="RunningTaskCount",
        dimensions_map={
            "ClusterName": service.service.cluster.cluster_name,
            "ServiceName": service.service.service_name,
        },
        statistic=statistic,
        period=period,
        label=label,
    )


def _usd_per_task_hour(values: Service, architecture: str) -> float:
    return (
        values.cpu / 1024 * _USD_PER_VCPU_HOUR[architecture]
        + values.task_memory_mib / 1024 * _USD_PER_GIB_HOUR[architecture]
    )


def _nat_cost(nat_gateway_ids: Sequence[str]) -> cloudwatch.MathExpression:
    bytes_in = {
        f"in{index}": cloudwatch.Metric(
            namespace="AWS/NATGateway",
            metric_name="BytesInFromDestination",
            dimensions_map={"NatGatewayId": id_},
            statistic="Sum",
            period=_HOUR,
        )
        for index, id_ in enumerate(nat_gateway_ids)
    }
    return cloudwatch.MathExpression(
        expression=f"({'+'.join(bytes_in)})/1000000000*{_USD_PER_NAT_GB}",
        label="USD an hour for bytes processed",
        period=_HOUR,
        using_metrics=bytes_in,
    )
