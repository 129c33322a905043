"""What can go wrong with one service and its queue."""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from stacks.constructs.queue_service import QueueService
from stacks.constructs.queue_with_dlq import QueueWithDlq
from stacks.constructs.runbook_alarm import RunbookAlarm
from stacks.values import Alarms, Service

_FIVE_MINUTES = cdk.Duration.minutes(5)


class ServiceAlarms(Construct):
    """Builds alarms for:

    - a dead-letter queue that is not empty;
    - the age of the oldest message;
    - the wait that a message would have if it came now;
    - work in hand and none completed;
    - memory close to the container's limit.

    `no_completions_minutes`: longer than work is usually silent, or one big archive looks like a fault.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        service: QueueService,
        work: QueueWithDlq,
        size: Service,
        values: Alarms,
        runbook: str,
        no_completions_minutes: int,
    ) -> None:
        super().__init__(scope, id_)
        visible = work.queue.metric_approximate_number_of_messages_visible(
            period=_FIVE_MINUTES, statistic="Maximum"
        )
        in_flight = work.queue.metric_approximate_number_of_messages_not_visible(
            period=_FIVE_MINUTES, statistic="Maximum"
        )
        deleted = work.queue.metric_number_of_messages_deleted(period=_FIVE_MINUTES, statistic="Sum")
        self.queue_wait_hours = cloudwatch.MathExpression(
            # With nothing completed the wait has no estimate; the alarm on completions covers that.
            expression=f"IF({id_}Deleted>0, {id_}Visible/({id_}Deleted*12), 0)",
            label=f"{id_}: hours until a message that comes now is taken",
            period=_FIVE_MINUTES,
            using_metrics={f"{id_}Visible": visible, f"{id_}Deleted": deleted},
        )
        self.alarms = [
            RunbookAlarm(
                self,
                "DeadLetters",
                runbook=runbook,
                section="dead-letter-queue-not-empty",
                meaning=f"Messages of the {id_} wait on its dead-letter queue.",
                # Not the count of messages sent: that leaves out what SQS moves there by itself.
                metric=work.dead_letter_queue.metric_approximate_number_of_messages_visible(
                    period=_FIVE_MINUTES, statistic="Maximum"
                ),
                threshold=1,
                for_minutes=5,
                period=_FIVE_MINUTES,
            ),
            RunbookAlarm(
                self,
                "BacklogAge",
                runbook=runbook,
                section="backlog-age",
                meaning=f"A message has waited {values.oldest_message_hours:g} h for the {id_}.",
                metric=work.queue.metric_approximate_age_of_oldest_message(
                    period=_FIVE_MINUTES, statistic="Maximum"
                ),
                threshold=values.oldest_message_hours * 3600,
                for_minutes=15,
                period=_FIVE_MINUTES,
            ),
            RunbookAlarm(
                self,
                "QueueWait",
                runbook=runbook,
                section="queue-wait",
                meaning=f"At its present pace the {id_} needs {values.queue_wait_hours:g} h for what waits.",
                metric=self.queue_wait_hours,
                threshold=values.queue_wait_hours,
                for_minutes=30,
                period=_FIVE_MINUTES,
            ),
            RunbookAlarm(
                self,
                "NoCompletions",
                runbook=runbook,
                section="no-completions",
                meaning=f"The {id_} has work and has finished none for {no_completions_minutes} minutes.",
                metric=cloudwatch.MathExpression(
                    expression="IF((visible+inflight)>0 AND deleted<1, 1, 0)",
                    label=f"{id_}: work and no completion",
                    period=_FIVE_MINUTES,
                    using_metrics={"visible": visible, "inflight": in_flight, "deleted": deleted},
                ),
                threshold=1,
                for_minutes=no_completions_minutes,
                period=_FIVE_MINUTES,
            ),
            RunbookAlarm(
                self,
                "Memory",
                runbook=runbook,
                section="memory",
                meaning=f"The {id_}'s tasks use nine tenths of what their container may.",
                metric=service.service.metric_memory_utilization(period=_FIVE_MINUTES, statistic="Maximum"),
                # ECS reports percent of the task's memory, and the container's limit is a part of that.
                threshold=90 * size.container_memory_mib / size.task_memory_mib,
                for_minutes=15,
                period=_FIVE_MINUTES,
            ),
        ]
