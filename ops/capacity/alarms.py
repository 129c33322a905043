"""The deployed metric alarms, read from the templates with their metric math."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ops.assembly.model import Resource, Stack

# What CDK appends to the construct's path.
_HASH = 8


@dataclass(frozen=True, kw_only=True)
class Watched:
    """A metric of an alarm; `of` are its dimensions as text."""

    id: str
    name: str
    of: str


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """A metric alarm as its template has it."""

    name: str
    expression: str
    metrics: tuple[Watched, ...]
    comparison: str
    threshold: float
    period_s: int
    periods: int
    points: int


def alarms_of(stacks: Sequence[Stack]) -> tuple[Alarm, ...]:
    """Every metric alarm; those of composite alarms' themes are these again."""
    return tuple(_alarm(resource) for stack in stacks for resource in stack.of_type("AWS::CloudWatch::Alarm"))


def _alarm(resource: Resource) -> Alarm:
    its = resource.properties
    queries = its.get("Metrics") or [
        {
            "Id": "m1",
            "MetricStat": {
                "Metric": {"MetricName": its["MetricName"], "Dimensions": its.get("Dimensions", [])},
                "Period": its["Period"],
            },
        }
    ]
    metrics = [query for query in queries if "MetricStat" in query]
    shown = next(query for query in queries if query.get("ReturnData", True))
    periods = int(its["EvaluationPeriods"])
    return Alarm(
        name=resource.logical_id[:-_HASH],
        expression=shown.get("Expression", shown["Id"]),
        metrics=tuple(
            Watched(
                id=query["Id"],
                name=query["MetricStat"]["Metric"]["MetricName"],
                of=json.dumps(query["MetricStat"]["Metric"].get("Dimensions", []), sort_keys=True),
            )
            for query in metrics
        ),
        comparison=its["ComparisonOperator"],
        threshold=float(its["Threshold"]),
        period_s=int(metrics[0]["MetricStat"]["Period"]),
        periods=periods,
        points=int(its.get("DatapointsToAlarm", periods)),
    )
