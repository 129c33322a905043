"""The two queues that work travels on, and where it waits when it cannot be done."""

from typing import Any

import aws_cdk as cdk
from constructs import Construct

from stacks.constructs.queue_with_dlq import QueueWithDlq
from stacks.constructs.removal import data_removal
from stacks.values import Environment


class MessagingStack(cdk.Stack):
    """Builds:

    - `export-jobs` and its DLQ: export events, read by the orchestrator;
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
        for label, pair in (("ExportJobs", self.export_jobs), ("DownloadTasks", self.download_tasks)):
            for kind, queue in (("Queue", pair.queue), ("Dlq", pair.dead_letter_queue)):
                cdk.CfnOutput(self, f"{label}{kind}Url", value=queue.queue_url)
                cdk.CfnOutput(self, f"{label}{kind}Arn", value=queue.queue_arn)
