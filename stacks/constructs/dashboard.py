"""One page that answers three questions: are we keeping up, what is failing, what does it cost?"""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from stacks.constructs.cost_graphs import cost_graphs
from stacks.constructs.event_counter import EventCounter
from stacks.constructs.graphs import WIDTH, graph, running_tasks
from stacks.constructs.queue_service import QueueService
from stacks.messaging import MessagingStack
from stacks.runtime_metrics import runtime_metric
from stacks.values import Environment

_FIVE_MINUTES = cdk.Duration.minutes(5)


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
            cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(alarms), width=3 * WIDTH, height=3)
        )
        self._row(dashboard, "Are we keeping up?", self._keeping_up(messaging, orchestrator, worker, waits))
        self._row(dashboard, "What is failing?", self._failing(messaging, interruptions))
        self._row(dashboard, "What does it cost?", cost_graphs(environment, orchestrator, worker))

    def _row(
        self, dashboard: cloudwatch.Dashboard, question: str, graphs: Sequence[cloudwatch.GraphWidget]
    ) -> None:
        dashboard.add_widgets(cloudwatch.TextWidget(markdown=f"# {question}", width=3 * WIDTH, height=1))
        dashboard.add_widgets(*graphs)

    def _keeping_up(
        self,
        messaging: MessagingStack,
        orchestrator: QueueService,
        worker: QueueService,
        waits: Sequence[cloudwatch.IMetric],
    ) -> list[cloudwatch.GraphWidget]:
        queues = {pair.node.id: pair.queue for pair in messaging.all_pairs}
        return [
            graph(
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
            graph("Hours until a message that comes now is taken", waits),
            graph(
                "Running tasks",
                [
                    running_tasks(service, f"{name}: running", period=_FIVE_MINUTES)
                    for name, service in (("orchestrator", orchestrator), ("worker", worker))
                ],
            ),
            graph(
                "Messages finished",
                [
                    queue.metric_number_of_messages_deleted(label=name, period=_FIVE_MINUTES, statistic="Sum")
                    for name, queue in queues.items()
                ],
            ),
            graph(
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
            graph(
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
            graph(
                "Dead letters",
                [
                    pair.dead_letter_queue.metric_approximate_number_of_messages_visible(
                        label=name, period=_FIVE_MINUTES, statistic="Maximum"
                    )
                    for name, pair in ((pair.node.id, pair) for pair in messaging.all_pairs)
                ],
            ),
            graph(
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
            graph(
                "Uploads failed, entries rejected, Spot interruptions",
                [
                    runtime_metric(self._environment.name, "worker", "UploadFailure", period=_FIVE_MINUTES),
                    runtime_metric(self._environment.name, "worker", "EntriesRejected", period=_FIVE_MINUTES),
                    interruptions.metric(period=_FIVE_MINUTES),
                ],
            ),
        ]
