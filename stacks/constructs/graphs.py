"""The parts that the rows of the dashboard have in common."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from stacks.constructs.queue_service import QueueService

# A third of the dashboard's 24 columns.
WIDTH = 8


def graph(
    title: str, left: Sequence[cloudwatch.IMetric], right: Sequence[cloudwatch.IMetric] = ()
) -> cloudwatch.GraphWidget:
    """One graph of a row; `right` has an axis of its own."""
    return cloudwatch.GraphWidget(title=title, left=list(left), right=list(right), width=WIDTH, height=6)


def running_tasks(service: QueueService, label: str, *, period: cdk.Duration) -> cloudwatch.Metric:
    """How many tasks of the service run, on average over each period."""
    return cloudwatch.Metric(
        namespace="ECS/ContainerInsights",
        metric_name="RunningTaskCount",
        dimensions_map={
            "ClusterName": service.service.cluster.cluster_name,
            "ServiceName": service.service.service_name,
        },
        statistic="Average",
        period=period,
        label=label,
    )
