"""The two queues that work travels on, and where it waits when it cannot be done."""

from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.constructs.queue_with_dlq import QueueWithDlq
from stacks.constructs.removal import data_removal
from stacks.values import Environment, Producers


class MessagingStack(cdk.Stack):
    """Builds:

    - `export-jobs` and its DLQ: export events, sent by the environment's producers, read by the orchestrator;
    - `download-tasks` and its DLQ: one archive each, written by the orchestrator, read by the worker.

    Stateful: messages are work that nobody else remembers.
    """

    def __init__(self, scope: Construct, id_: str, *, environment: Environment, **kwargs: Any) -> None:
        super().__init__(scope, id_, termination_protection=environment.storage.protected, **kwargs)
        messaging = environment.messaging
        removal_policy = data_removal(protected=environment.storage.protected)
        self.export_jobs, self.download_tasks = (
            QueueWithDlq(
                self,
                name,
                visibility_timeout=cdk.Duration.seconds(messaging.visibility_timeout_s),
                max_receive_count=messaging.redrive_after,
                removal_policy=removal_policy,
            )
            for name in ("export-jobs", "download-tasks")
        )
        _admit(environment.producers, self.export_jobs.queue)
        for label, pair in (("ExportJobs", self.export_jobs), ("DownloadTasks", self.download_tasks)):
            for kind, queue in (("Queue", pair.queue), ("Dlq", pair.dead_letter_queue)):
                cdk.CfnOutput(self, f"{label}{kind}Url", value=queue.queue_url)
                cdk.CfnOutput(self, f"{label}{kind}Arn", value=queue.queue_arn)


def _admit(producers: Producers, queue: sqs.Queue) -> None:
    """Let these send, and nobody through them: AWS's services for the named topics and rules alone."""
    for service, sources in (("sns", producers.sns_topics), ("events", producers.event_rules)):
        if sources:
            _may_send(
                queue,
                iam.ServicePrincipal(f"{service}.amazonaws.com"),
                {"ArnEquals": {"aws:SourceArn": list(sources)}},
            )
    for role in producers.roles:
        _may_send(queue, iam.ArnPrincipal(role), {})
    if producers.organisation is not None:
        _may_send(queue, iam.AnyPrincipal(), {"StringEquals": {"aws:PrincipalOrgID": producers.organisation}})


def _may_send(queue: sqs.Queue, principal: iam.IPrincipal, conditions: Mapping[str, object]) -> None:
    queue.add_to_resource_policy(
        iam.PolicyStatement(
            actions=["sqs:SendMessage"],
            principals=[principal],
            resources=[queue.queue_arn],
            conditions=dict(conditions),
        )
    )
