"""How many tasks a queue's work needs."""

from collections.abc import Sequence
from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_applicationautoscaling as autoscaling
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.values import Service
from stacks.values.service import SCALE_IN_S, SCALE_OUT_S

_Policy = autoscaling.CfnScalingPolicy


class BacklogScaling(Construct):
    """Builds:

    - the service's scalable target, between its least and most tasks;
    - target tracking on the backlog per task: (visible + in flight) / desired tasks, over all its queues;
    - target tracking on CPU beside it, for work that is heavier than its count says.

    Why not on visible messages alone: a message that is being worked on is not visible. A fleet that has
    taken everything off the queue and is hours away from finishing would look idle, be scaled in, hand all
    its work back, see a backlog, scale out, and so on for ever. Counting what is in flight makes the metric
    fall only as work is finished.

    Why by desired tasks and not by running ones: the desired count is what the policy steers. While tasks
    that are no longer wanted finish what they have in hand, more run than are desired; divided by those, the
    same backlog would ask for fewer tasks again and again, and for too many afterwards. And nothing counts
    running tasks where none runs. `python -m ops.scaling` shows the difference over a day.

    With several target-tracking policies any one scales out and all must agree to scale in, so CPU can only
    add tasks. FILL: a queue that nobody has used for hours and a service without tasks send no data, and a
    metric with a hole keeps its policy from acting.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        service: ecs.FargateService,
        queues: Sequence[sqs.IQueue],
        values: Service,
    ) -> None:
        super().__init__(scope, id_)
        count = service.auto_scale_task_count(min_capacity=values.min_tasks, max_capacity=values.max_tasks)
        count.scale_on_cpu_utilization(
            "Cpu",
            target_utilization_percent=values.cpu_target_percent,
            scale_in_cooldown=cdk.Duration.seconds(SCALE_IN_S),
            scale_out_cooldown=cdk.Duration.seconds(SCALE_OUT_S),
        )
        target = cast("autoscaling.ScalableTarget", count.node.find_child("Target"))
        # The L2's tracking of a custom metric takes no metric math, so the policy is spelled out.
        _Policy(
            self,
            "Policy",
            policy_name=f"{self.node.path}/backlog-per-task",
            policy_type="TargetTrackingScaling",
            scaling_target_id=target.scalable_target_id,
            target_tracking_scaling_policy_configuration=_Policy.TargetTrackingScalingPolicyConfigurationProperty(
                target_value=values.backlog_per_task,
                scale_in_cooldown=SCALE_IN_S,
                scale_out_cooldown=SCALE_OUT_S,
                customized_metric_specification=_Policy.CustomizedMetricSpecificationProperty(
                    metrics=_backlog_per_task(service, queues)
                ),
            ),
        )


def _backlog_per_task(
    service: ecs.FargateService, queues: Sequence[sqs.IQueue]
) -> list[_Policy.TargetTrackingMetricDataQueryProperty]:
    queries = []
    for index, queue in enumerate(queues):
        for prefix, name in (
            ("visible", "ApproximateNumberOfMessagesVisible"),
            ("inflight", "ApproximateNumberOfMessagesNotVisible"),
        ):
            queries.append(
                _query(f"{prefix}{index}", "AWS/SQS", name, {"QueueName": queue.queue_name}, "Average")
            )
    backlog = "+".join(f"FILL({query.id},0)" for query in queries)
    queries.append(
        _query(
            "desired",
            "ECS/ContainerInsights",
            "DesiredTaskCount",
            {"ClusterName": service.cluster.cluster_name, "ServiceName": service.service_name},
            "Average",
        )
    )
    queries.append(
        _Policy.TargetTrackingMetricDataQueryProperty(
            id="perTask",
            label="messages waiting and in flight, per desired task",
            expression=f"({backlog})/IF(FILL(desired,0)>0,FILL(desired,0),1)",
            return_data=True,
        )
    )
    return queries


def _query(
    id_: str, namespace: str, name: str, dimensions: dict[str, str], statistic: str
) -> _Policy.TargetTrackingMetricDataQueryProperty:
    return _Policy.TargetTrackingMetricDataQueryProperty(
        id=id_,
        return_data=False,
        metric_stat=_Policy.TargetTrackingMetricStatProperty(
            stat=statistic,
            metric=_Policy.TargetTrackingMetricProperty(
                namespace=namespace,
                metric_name=name,
                dimensions=[
                    _Policy.TargetTrackingMetricDimensionProperty(name=key, value=value)
                    for key, value in dimensions.items()
                ],
            ),
        ),
    )
