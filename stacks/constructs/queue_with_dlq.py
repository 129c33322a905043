"""A work queue and the dead-letter queue behind it."""

import aws_cdk as cdk
from aws_cdk import aws_sqs as sqs
from constructs import Construct

# The record asks for 14 days, which is also the most that SQS keeps. A message that SQS moves to the DLQ by
# itself keeps its first timestamp; one that a service parks starts anew.
RETENTION = cdk.Duration.days(14)
LONG_POLL = cdk.Duration.seconds(20)


class QueueWithDlq(Construct):
    """Builds:

    - a standard queue: encrypted, TLS only, long polling, 14 days' retention;
    - its dead-letter queue, which takes messages from that queue and no other.

    Encrypted with SQS's key even where the environment has its own: with ours, every producer would need
    rights on it, and a message holds ids and a URL that expires, no content.

    Standard, not FIFO: order does not matter, and `MessageGroupId` gives fairness between export jobs without
    FIFO's throughput limits.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        visibility_timeout: cdk.Duration,
        max_receive_count: int,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, id_)
        # The queue names its DLQ and the DLQ names its queue: one of the two references has to be text
        # spelled from the name, or neither could be created first.
        stack = cdk.Stack.of(self)
        queue_name = f"{stack.stack_name}-{id_}"
        queue_arn = stack.format_arn(service="sqs", resource=queue_name)
        self.dead_letter_queue = sqs.Queue(
            self,
            "DeadLetterQueue",
            queue_name=f"{queue_name}-dlq",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            receive_message_wait_time=LONG_POLL,
            removal_policy=removal_policy,
            retention_period=RETENTION,
            visibility_timeout=visibility_timeout,
            redrive_allow_policy=sqs.RedriveAllowPolicy(
                redrive_permission=sqs.RedrivePermission.BY_QUEUE,
                source_queues=[sqs.Queue.from_queue_arn(self, "Source", queue_arn)],
            ),
        )
        self.queue = sqs.Queue(
            self,
            "Queue",
            queue_name=queue_name,
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=self.dead_letter_queue, max_receive_count=max_receive_count
            ),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            receive_message_wait_time=LONG_POLL,
            removal_policy=removal_policy,
            retention_period=RETENTION,
            visibility_timeout=visibility_timeout,
        )
