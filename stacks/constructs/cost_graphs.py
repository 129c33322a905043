"""The environment's costs: compute, bytes, and NAT where there is one."""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from stacks.constructs.graphs import graph, running_tasks
from stacks.constructs.queue_service import QueueService
from stacks.runtime_metrics import runtime_metric
from stacks.values import Environment, Service

_HOUR = cdk.Duration.hours(1)
# On-demand list prices in eu-west-1, USD (aws.amazon.com/fargate/pricing, /vpc/pricing): an upper bound of
# the bill, since Spot is about 70 % cheaper. They serve to see a change of size, not to check an invoice.
_USD_PER_VCPU_HOUR = {"x86_64": 0.04048, "arm64": 0.03238}
_USD_PER_GIB_HOUR = {"x86_64": 0.004445, "arm64": 0.00356}
_USD_PER_NAT_GB = 0.048


def cost_graphs(
    environment: Environment, orchestrator: QueueService, worker: QueueService
) -> list[cloudwatch.GraphWidget]:
    """The dashboard's row on cost."""
    graphs = [
        graph(
            "Compute",
            [
                _compute("orchestrator", orchestrator, environment.orchestrator, environment.architecture),
                _compute("worker", worker, environment.worker, environment.architecture),
            ],
        ),
        graph(
            "Bytes moved, and bytes that ranged reads did not have to move",
            [
                runtime_metric(environment.name, "worker", name, period=_HOUR)
                for name in ("BytesDownloaded", "BytesUploaded", "BytesSaved")
            ],
        ),
    ]
    if environment.network.nat_gateways:
        graphs.append(graph("NAT", [_nat()]))
    return graphs


def _compute(
    name: str, service: QueueService, values: Service, architecture: str
) -> cloudwatch.MathExpression:
    usd_per_task_hour = (
        values.cpu / 1024 * _USD_PER_VCPU_HOUR[architecture]
        + values.task_memory_mib / 1024 * _USD_PER_GIB_HOUR[architecture]
    )
    return cloudwatch.MathExpression(
        expression=f"{name}Running*{usd_per_task_hour:.5f}",
        label=f"{name}: USD an hour at on-demand prices",
        period=_HOUR,
        using_metrics={f"{name}Running": running_tasks(service, name, period=_HOUR)},
    )


def _nat() -> cloudwatch.MathExpression:
    # Found and not named: a reference would keep a gateway from being removed while this dashboard shows it.
    return cloudwatch.MathExpression(
        expression="SUM(SEARCH('{AWS/NATGateway,NatGatewayId} MetricName=\"BytesInFromDestination\"', "
        f"'Sum', {_HOUR.to_seconds():.0f}))/1000000000*{_USD_PER_NAT_GB}",
        label="USD an hour for bytes processed, all gateways of the account",
        period=_HOUR,
    )
