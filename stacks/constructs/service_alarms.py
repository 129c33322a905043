"""The alarms of one service and its queues."""

from collections.abc import Iterable, Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.constructs.queue_service import QueueService
from stacks.constructs.queue_with_dlq import RETENTION, QueueWithDlq
from stacks.constructs.runbook_alarm import RunbookAlarm
from stacks.values import Alarms, Service

_FIVE_MINUTES = cdk.Duration.minutes(5)
# Fewer may all be long archives; from here on one of them ends within the silence, or something holds them.
_ENOUGH_IN_HAND = 10
# Longer than a task takes to start, and than a lost one keeps its messages.
_NOT_TAKEN_MINUTES = 15
# Before SQS drops a message: a long weekend to notice, and a day to act.
_DAYS_TO_ACT = 4


class ServiceAlarms(Construct):
    """Builds alarms for:

    - messages that came to a dead-letter queue, and a dead-letter queue that is not empty;
    - messages that are about to expire, on a queue or behind it;
    - messages that wait and are not taken, and work in hand of which none is finished;
    - the age of the oldest message, and the wait that a message would have if it came now;
    - memory close to the container's limit.

    `longest_work_hours`: how long one message may be worked on; it ages meanwhile, and that is no fault.
    `no_completions_minutes`: longer than ten pieces of work at once are ever silent.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        service: QueueService,
        work: Sequence[QueueWithDlq],
        size: Service,
        values: Alarms,
        runbook: str,
        longest_work_hours: float,
        no_completions_minutes: int,
    ) -> None:
        super().__init__(scope, id_)
        self._id, self._runbook = id_, runbook
        queues = [pair.queue for pair in work]
        dead_letter_queues = [pair.dead_letter_queue for pair in work]
        waiting = _each(f"{id_}Visible", queues, "metric_approximate_number_of_messages_visible")
        in_flight = _each(f"{id_}Inflight", queues, "metric_approximate_number_of_messages_not_visible")
        deleted = _each(f"{id_}Deleted", queues, "metric_number_of_messages_deleted", "Sum")
        dead = _each(f"{id_}Dead", dead_letter_queues, "metric_approximate_number_of_messages_visible")
        ages = _each(f"{id_}Age", queues, "metric_approximate_age_of_oldest_message")
        dead_ages = _each(f"{id_}DeadAge", dead_letter_queues, "metric_approximate_age_of_oldest_message")
        self.queue_wait_hours = self._math(
            # With nothing completed the wait has no estimate; the alarms on standing still cover that.
            f"IF({_sum(deleted)}>0, {_sum(waiting)}/({_sum(deleted)}*12), 0)",
            "hours until a message that comes now is taken",
            waiting | deleted,
        )
        self.shown = [
            self._alarm(
                "DeadLetters",
                section="dead-letter-queue-not-empty",
                meaning=f"Messages of the {id_} wait on a dead-letter queue.",
                # Not the count of messages sent: that leaves out what SQS moves there by itself.
                metric=self._math(_sum(dead), "dead letters", dead),
                threshold=1,
                for_minutes=5,
            )
        ]
        self.data_at_risk = [
            self._alarm(
                "NewDeadLetters",
                section="dead-letter-queue-not-empty",
                meaning=f"Messages of the {id_} came to a dead-letter queue just now.",
                # Growth and not depth: what has been there for days must not hide what comes today.
                metric=self._math(f"DIFF({_sum(dead)})", "messages that came to a dead-letter queue", dead),
                threshold=1,
                for_minutes=5,
            ),
            self._alarm(
                "Expiring",
                section="messages-about-to-expire",
                meaning=f"A message of the {id_} is dropped by SQS in {_DAYS_TO_ACT} days or less.",
                metric=self._math(_max(ages | dead_ages), "age of the oldest, seconds", ages | dead_ages),
                threshold=RETENTION.to_seconds() - cdk.Duration.days(_DAYS_TO_ACT).to_seconds(),
                for_minutes=15,
            ),
        ]
        self.standing_still = [
            self._alarm(
                "NotTaken",
                section="messages-not-taken",
                meaning=f"Messages wait for the {id_} and none was taken for {_NOT_TAKEN_MINUTES} minutes.",
                metric=self._math(
                    f"IF({_sum(waiting)}>0 AND {_sum(in_flight)}<1 AND {_sum(deleted)}<1, 1, 0)",
                    "waiting and not taken",
                    waiting | in_flight | deleted,
                ),
                threshold=1,
                for_minutes=_NOT_TAKEN_MINUTES,
            ),
            self._alarm(
                "NoCompletions",
                section="no-completions",
                meaning=f"The {id_} has much in hand and finished none for {no_completions_minutes} minutes.",
                metric=self._math(
                    f"IF({_sum(in_flight)}>={_ENOUGH_IN_HAND} AND {_sum(deleted)}<1, 1, 0)",
                    "work in hand and none finished",
                    in_flight | deleted,
                ),
                threshold=1,
                for_minutes=no_completions_minutes,
            ),
        ]
        age_hours = values.oldest_message_hours + longest_work_hours
        self.falling_behind = [
            self._alarm(
                "BacklogAge",
                section="backlog-age",
                meaning=f"A message of the {id_} is {age_hours:g} h old, its longest work included.",
                metric=self._math(_max(ages), "age of the oldest that waits or is in hand, seconds", ages),
                threshold=age_hours * 3600,
                for_minutes=15,
            ),
            self._alarm(
                "QueueWait",
                section="queue-wait",
                meaning=f"At its present pace the {id_} needs {values.queue_wait_hours:g} h for what waits.",
                metric=self.queue_wait_hours,
                threshold=values.queue_wait_hours,
                for_minutes=30,
            ),
        ]
        self.cost_and_capacity = [
            self._alarm(
                "Memory",
                section="memory",
                meaning=f"The {id_}'s tasks use nine tenths of what their container may.",
                metric=service.service.metric_memory_utilization(period=_FIVE_MINUTES, statistic="Maximum"),
                # ECS reports percent of the task's memory, and the container's limit is a part of that.
                threshold=90 * size.container_memory_mib / size.task_memory_mib,
                for_minutes=15,
            )
        ]

    def _alarm(
        self,
        id_: str,
        *,
        section: str,
        meaning: str,
        metric: cloudwatch.IMetric,
        threshold: float,
        for_minutes: int,
    ) -> RunbookAlarm:
        return RunbookAlarm(
            self,
            id_,
            runbook=self._runbook,
            section=section,
            meaning=meaning,
            metric=metric,
            threshold=threshold,
            for_minutes=for_minutes,
            period=_FIVE_MINUTES,
        )

    def _math(
        self, expression: str, label: str, metrics: Mapping[str, cloudwatch.IMetric]
    ) -> cloudwatch.MathExpression:
        return cloudwatch.MathExpression(
            expression=expression,
            label=f"{self._id}: {label}",
            period=_FIVE_MINUTES,
            using_metrics=dict(metrics),
        )


def _each(
    prefix: str, queues: Sequence[sqs.IQueue], metric: str, statistic: str = "Maximum"
) -> dict[str, cloudwatch.IMetric]:
    """One metric of every queue, by an id to use in an expression."""
    return {
        f"{prefix}{number}": getattr(queue, metric)(period=_FIVE_MINUTES, statistic=statistic)
        for number, queue in enumerate(queues)
    }


def _filled(ids: Iterable[str]) -> list[str]:
    # A queue that nobody has used for hours sends no data, and one hole is a hole in the whole expression.
    return [f"FILL({id_},0)" for id_ in ids]


def _sum(metrics: Mapping[str, cloudwatch.IMetric]) -> str:
    return f"({'+'.join(_filled(metrics))})"


def _max(metrics: Mapping[str, cloudwatch.IMetric]) -> str:
    return f"MAX([{', '.join(_filled(metrics))}])"
