"""The third service, where an environment wants it: says what became of exports. A template for one's own.

A subscriber needs nothing of the other stacks but the events on the default bus (docs/events); this one turns
each into a few lines without any code of its own. To do more, give the rule another target: a queue, a
function, a state machine. Events are delivered at least once, so drop an `event_id` that has been seen.
"""

from collections.abc import Mapping
from string import Formatter
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from stacks.acknowledgements import acknowledge
from stacks.storage import StorageStack
from stacks.values import SYSTEM, Environment, Notifications

_COUNTS = (
    "{present} of {expected} files are in S3, {missing} missing; "
    "{done} of {tasks} archives done, {parked} parked"
)
# Event → what is said, in the words of its schema.
_LINES: Mapping[str, str] = {
    "Export Job Completed": f"Export job {{job}} is complete. {_COUNTS}. {{link}}",
    "Export Job Incomplete": f"Export job {{job}} is INCOMPLETE. {_COUNTS}. {{link}}",
    "Export Job Failed": f"Export job {{job}} FAILED: {{reason}}. {_COUNTS}.",
    "Export Task Parked": "An archive of export job {job} was PARKED: {reason}. File {file}, task {task}.",
    "Export Circuit Changed": "{dependency} is {state} since {since} (before: {previous}): {reason}",
}
_FIELDS = {
    "job": "export_job_id",
    "done": "tasks_done",
    "tasks": "tasks_total",
    "parked": "tasks_parked",
    "file": "file_id",
    "task": "task_id",
}


class NotificationsStack(cdk.Stack):
    """Builds:

    - a topic, and the environment's address on it;
    - for each event that the environment names, a rule that sends its summary there.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        environment: Environment,
        notifications: Notifications,
        storage: StorageStack,
        manifest_prefix: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, id_, **kwargs)
        # A link into the bucket's manifests of the job; the console asks for the reader's own rights.
        self._manifests = (
            f"Manifests: https://s3.console.aws.amazon.com/s3/buckets/{storage.bucket.bucket_name}"
            f"?region={environment.region}&prefix={manifest_prefix}"
        )
        topic = self._topic(storage, environment)
        if notifications.email is not None:
            topic.add_subscription(subscriptions.EmailSubscription(notifications.email))
        rules = [self._rule(event, topic) for event in notifications.events]
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["sns:Publish"],
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                resources=[topic.topic_arn],
                conditions={"ArnEquals": {"aws:SourceArn": [rule.attr_arn for rule in rules]}},
            )
        )
        cdk.CfnOutput(self, "NotificationsTopicArn", value=topic.topic_arn)

    def _topic(self, storage: StorageStack, environment: Environment) -> sns.Topic:
        topic = sns.Topic(
            self,
            "Topic",
            display_name=f"Exports {environment.name}",
            enforce_ssl=True,
            master_key=storage.key,
        )
        if isinstance(storage.key, kms.Key):
            storage.key.add_to_resource_policy(
                iam.PolicyStatement(
                    actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                    principals=[iam.ServicePrincipal("events.amazonaws.com")],
                    resources=["*"],
                    conditions={"StringEquals": {"aws:SourceAccount": self.account}},
                )
            )
        if storage.key is None:
            acknowledge(
                topic,
                {"NIST.800.53.R5-SNSEncryptedKMS": "Ids and counts, no content; no CMK in this environment"},
            )
        return topic

    def _rule(self, event: str, topic: sns.Topic) -> events.CfnRule:
        line = _LINES[event]
        link = f"{self._manifests}<job>/"
        names = sorted({name for _, name, _, _ in Formatter().parse(line) if name} - {"link"})
        text = line.format(link=link, **{name: f"<{name}>" for name in names})
        return events.CfnRule(
            self,
            event.replace(" ", ""),
            description=f"{event}: a summary for people",
            event_pattern={"source": [SYSTEM], "detail-type": [event]},
            targets=[
                events.CfnRule.TargetProperty(
                    id="summary",
                    arn=topic.topic_arn,
                    input_transformer=events.CfnRule.InputTransformerProperty(
                        input_paths_map={name: f"$.detail.{_FIELDS.get(name, name)}" for name in names},
                        input_template=f'"{text}"',
                    ),
                )
            ],
        )
