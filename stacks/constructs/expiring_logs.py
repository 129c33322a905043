"""A log group that forgets: logs are for finding faults, and what has to last is in the ledger and in S3."""

import aws_cdk as cdk
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.acknowledgements import acknowledge

_RETENTION = {
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    60: logs.RetentionDays.TWO_MONTHS,
    90: logs.RetentionDays.THREE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
}


class ExpiringLogs(Construct):
    """Builds:

    - a log group with retention in days, removed with its stack, or `retained`: then it outlives the stack to
      say why that went, and its lines still expire. One with a fixed name cannot be, or the stack could not
      come back.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        retention_days: int,
        name: str | None = None,
        retained: bool = False,
    ) -> None:
        super().__init__(scope, id_)
        self.group = logs.LogGroup(
            self,
            "Group",
            log_group_name=name,
            retention=_RETENTION[retention_days],
            removal_policy=cdk.RemovalPolicy.RETAIN if retained else cdk.RemovalPolicy.DESTROY,
        )
        acknowledge(
            self,
            {
                "NIST.800.53.R5-CloudWatchLogGroupEncrypted": "Log lines hold ids, counts and timings, no "
                "content and no credentials; CloudWatch's own encryption at rest covers them"
            },
        )
