"""Events of AWS that we want to count and to be able to read."""

from collections.abc import Mapping, Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.constructs.expiring_logs import ExpiringLogs


class EventCounter(Construct):
    """Builds:

    - a rule on the default bus that matches the pattern, and a log group that keeps the matching events.

    `metric` counts them. EventBridge may write once `EventLogsPolicy` says so, for all counters of the stack.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        description: str,
        source: str,
        detail_type: str,
        detail: Mapping[str, Any],
        resources: Sequence[Any] | None = None,
        retention_days: int,
    ) -> None:
        super().__init__(scope, id_)
        stack = cdk.Stack.of(self)
        # EventBridge writes only to log groups under this prefix.
        kept = ExpiringLogs(
            self,
            "Events",
            retention_days=retention_days,
            name=f"{_prefix(stack)}{id_}",
        )
        pattern: dict[str, Any] = {"source": [source], "detail-type": [detail_type], "detail": dict(detail)}
        if resources is not None:
            pattern["resources"] = list(resources)
        self.rule = events.CfnRule(
            self,
            "Rule",
            description=description,
            event_pattern=pattern,
            targets=[
                events.CfnRule.TargetProperty(
                    id="log",
                    arn=stack.format_arn(
                        service="logs",
                        resource="log-group",
                        resource_name=kept.group.log_group_name,
                        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
                    ),
                )
            ],
        )

    def metric(self, *, period: cdk.Duration) -> cloudwatch.Metric:
        """How many events matched in each period."""
        return cloudwatch.Metric(
            namespace="AWS/Events",
            metric_name="Invocations",
            dimensions_map={"RuleName": self.rule.ref},
            statistic="Sum",
            period=period,
        )


class EventLogsPolicy(Construct):
    """Builds:

    - one policy that lets these counters' rules, and nothing else, write to the log groups of this stack.

    One and not one each: an account may have ten in a region. CloudFormation's own resource and not the L2
    target, which would set it with a Lambda function.
    """

    def __init__(self, scope: Construct, id_: str, *, counters: Sequence[EventCounter]) -> None:
        super().__init__(scope, id_)
        stack = cdk.Stack.of(self)
        writers = [
            iam.ServicePrincipal("events.amazonaws.com"),
            iam.ServicePrincipal("delivery.logs.amazonaws.com"),
        ]
        groups = stack.format_arn(
            service="logs",
            resource="log-group",
            resource_name=f"{_prefix(stack)}*",
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
        logs.ResourcePolicy(
            self,
            "Policy",
            policy_statements=[
                # EventBridge names the rule when it writes, not when it opens a stream.
                iam.PolicyStatement(
                    actions=["logs:CreateLogStream"], principals=writers, resources=[f"{groups}:*"]
                ),
                iam.PolicyStatement(
                    actions=["logs:PutLogEvents"],
                    principals=writers,
                    resources=[f"{groups}:*:*"],
                    conditions={
                        "ArnEquals": {"aws:SourceArn": [counter.rule.attr_arn for counter in counters]}
                    },
                ),
            ],
        )


def _prefix(stack: cdk.Stack) -> str:
    return f"/aws/events/{stack.stack_name}/"
