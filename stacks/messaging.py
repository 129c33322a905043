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

    With priorities, two more pairs of each, for what is high and what is low. Stateful: messages are work
    that nobody else remembers.
    """

    def __init__(self, scope: Construct, id_: str, *, environment: Environment, **kwargs: Any) -> None:
        super().__init__(scope, id_, termination_protection=environment.storage.protected, **kwargs)
        self._environment = environment
        self.export_jobs, self.download_tasks = self._pair("export-jobs"), self._pair("download-tasks")
        # Those of the other priorities, by priority: none, unless the environment has priorities.
        others = ("high", "low") if environment.messaging.priorities else ()
        self.other_export_jobs = {name: self._pair(f"export-jobs-{name}") for name in others}
        self.other_download_tasks = {name: self._pair(f"download-tasks-{name}") for name in others}
        for pair in self.all_export_jobs:
            _admit(environment.producers, pair.queue)
        for label, pairs in (
            ("ExportJobs", {"": self.export_jobs, **self.other_export_jobs}),
            ("DownloadTasks", {"": self.download_tasks, **self.other_download_tasks}),
        ):
            for priority, pair in pairs.items():
                for kind, queue in (("Queue", pair.queue), ("Dlq", pair.dead_letter_queue)):
                    name = f"{label}{priority.capitalize()}{kind}"
                    cdk.CfnOutput(self, f"{name}Url", value=queue.queue_url)
                    cdk.CfnOutput(self, f"{name}Arn", value=queue.queue_arn)

    @property
    def all_export_jobs(self) -> list[QueueWithDlq]:
        """The pairs of every priority."""
        return [self.export_jobs, *self.other_export_jobs.values()]

    @property
    def all_download_tasks(self) -> list[QueueWithDlq]:
        """The pairs of every priority."""
        return [self.download_tasks, *self.other_download_tasks.values()]

    @property
    def all_pairs(self) -> list[QueueWithDlq]:
        """Every queue that work waits on, with what is behind it."""
        return [*self.all_export_jobs, *self.all_download_tasks]

    def _pair(self, name: str) -> QueueWithDlq:
        messaging = self._environment.messaging
        return QueueWithDlq(
            self,
            name,
            visibility_timeout=cdk.Duration.seconds(messaging.visibility_timeout_s),
            max_receive_count=messaging.redrive_after,
            removal_policy=data_removal(protected=self._environment.storage.protected),
        )


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
