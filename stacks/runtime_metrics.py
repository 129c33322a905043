"""The metrics that the services write to their logs in embedded metric format, by name."""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

NAMESPACE = "ExportProcessing"


def runtime_metric(
    environment: str,
    service: str,
    name: str,
    *,
    period: cdk.Duration,
    statistic: str = "Sum",
    label: str | None = None,
) -> cloudwatch.Metric:
    """One metric of `orchestrator` or `worker` in an environment, over all its tasks."""
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=name,
        dimensions_map={"service": service, "environment": environment},
        statistic=statistic,
        period=period,
        label=label or name,
    )
