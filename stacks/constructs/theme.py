"""Alarms that tell people together."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from stacks.constructs.runbook_alarm import RunbookAlarm


class Theme(Construct):
    """Builds:

    - a composite alarm over the alarms of one theme, which tells the topic when it goes off and when it ends.

    One fault sets off several alarms and is one message. But a composite that is on says nothing when another
    of its alarms goes off, so faults that have nothing to do with each other are in different themes.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        name: str,
        meaning: str,
        alarms: Sequence[RunbookAlarm],
        topic: sns.ITopic,
        runbook: str,
    ) -> None:
        super().__init__(scope, id_)
        self.alarms = alarms
        composite = cloudwatch.CompositeAlarm(
            self,
            "Alarm",
            composite_alarm_name=f"{cdk.Stack.of(self).stack_name}-{name}",
            alarm_description=f"{meaning} The alarms in it say what. Runbook: {runbook}",
            alarm_rule=cloudwatch.AlarmRule.any_of(*alarms),
        )
        composite.add_alarm_action(actions.SnsAction(topic))
        composite.add_ok_action(actions.SnsAction(topic))
