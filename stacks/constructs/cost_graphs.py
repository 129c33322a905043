"""What the environment costs: compute, bytes, and NAT where there is one."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from stacks.constructs.graphs import graph, running_tasks
from stacks.constructs.queue_service import QueueService
from stacks.network import NetworkStack
from stacks.runtime_metrics import runtime_metric
from stacks.values import Environment, Service

_HOUR = cdk.Duration.hours(1)
# On-demand list prices in eu-west-1, USD (aws.amazon.com/fargate/pricing, /vpc/pricing): an upper bound of
# the bill, since Spot is about 70 % cheaper. They serve to see a change of size, not to check an invoice.
_USD_PER_VCPU_HOUR = {"x86_64": 0.04048, "arm64": 0.03238}
_USD_PER_GIB_HOUR = {"x86_64": 0.004445, "arm64": 0.00356}
_USD_PER_NAT_GB = 0.048


def cost_graphs(
    environment: Environment, network: NetworkStack, orchestrator: QueueService, worker: QueueService
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
    if network.nat_gateway_ids:
        graphs.append(graph("NAT", [_nat(network.nat_gateway_ids)]))
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


def _nat(nat_gateway_ids: Sequence[str]) -> cloudwatch.MathExpression:
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
