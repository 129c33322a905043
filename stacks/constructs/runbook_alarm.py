"""An alarm that says where to read on."""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from stacks.acknowledgements import acknowledge


class RunbookAlarm(cloudwatch.Alarm):
    """Builds:

    - an alarm that goes off at or above its threshold, with a link to its section of the runbook in its
      description.

    `for_minutes`: how long the metric has to stay there. The alarm notifies nobody by itself: the composite
    alarm of its theme does, or a deployment reads it.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        runbook: str,
        section: str,
        meaning: str,
        metric: cloudwatch.IMetric,
        threshold: float,
        for_minutes: int,
        period: cdk.Duration,
        missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
    ) -> None:
        super().__init__(
            scope,
            id_,
            alarm_description=f"{meaning} Runbook: {runbook}#{section}",
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=max(1, for_minutes * 60 // int(period.to_seconds())),
            metric=metric,
            threshold=threshold,
            treat_missing_data=missing,
        )
        acknowledge(
            self,
            {
                "NIST.800.53.R5-CloudWatchAlarmAction": "The composite alarm of a theme tells people, so "
                "that one fault is one message; this alarm is part of one, is shown, or a deployment reads it"
            },
        )
