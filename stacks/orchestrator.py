"""The service that turns an export event into one task per archive."""

from typing import Any

import aws_cdk as cdk
from constructs import Construct

from stacks.constructs.queue_service import QueueService
from stacks.messaging import MessagingStack
from stacks.network import NetworkStack
from stacks.permissions import ledger, publish_events, read_api_secret, send, work_through
from stacks.settings import common_settings, dlq_urls, longest_outage_s, queue_urls, with_chosen
from stacks.storage import StorageStack
from stacks.values import Environment


class OrchestratorStack(cdk.Stack):
    """Builds:

    - the orchestrator service, on demand, at least two tasks, scaled by the backlog of `export-jobs`;
    - its task role: work through `export-jobs`, send to `download-tasks`, keep the ledger, publish events.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        environment: Environment,
        network: NetworkStack,
        storage: StorageStack,
        messaging: MessagingStack,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, id_, **kwargs)
        values = environment.orchestrator
        self.service = QueueService(
            self,
            "Orchestrator",
            environment=environment,
            values=values,
            network=network,
            module="runtime.orchestrator",
            work=messaging.all_export_jobs,
            settings=with_chosen(
                {
                    **common_settings(
                        mode="orchestrator",
                        values=values,
                        environment=environment,
                        storage=storage,
                        messaging=messaging,
                    ),
                    "EXPORT_JOBS_QUEUE_URL": messaging.export_jobs.queue.queue_url,
                    "EXPORT_JOBS_DLQ_URL": messaging.export_jobs.dead_letter_queue.queue_url,
                    **queue_urls("EXPORT_JOBS", messaging.other_export_jobs),
                    **dlq_urls("EXPORT_JOBS", messaging.other_export_jobs),
                    "NOT_READY_MAX_WAIT_S": longest_outage_s(environment),
                },
                values,
            ),
        )
        for pair in messaging.all_export_jobs:
            work_through(self.service, pair)
        for pair in messaging.all_download_tasks:
            send(self.service, pair.queue)
        ledger(self.service, storage)
        read_api_secret(self.service, storage)
        publish_events(self.service)
