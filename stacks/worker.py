"""The service that fetches an archive, checks its entries and puts the matching ones into S3."""

from typing import Any

import aws_cdk as cdk
from constructs import Construct

from stacks.constructs.queue_service import SCRATCH, QueueService
from stacks.data_names import written_prefixes
from stacks.messaging import MessagingStack
from stacks.network import NetworkStack
from stacks.permissions import (
    ledger,
    ledger_of_parts,
    publish_events,
    read_api_secret,
    read_metadata,
    work_through,
    write_objects,
)
from stacks.settings import common_settings, dlq_urls, with_chosen
from stacks.storage import StorageStack
from stacks.values import Environment

_GIB = 1 << 30
# Fargate keeps the image and the logs in flight on the same disk.
_DISK_RESERVE_GIB = 5


class WorkerStack(cdk.Stack):
    """Builds:

    - the worker service, on Spot above an on-demand base, scaled by the backlog of `download-tasks`;
    - its task role: work through `download-tasks`, read metadata, write two prefixes, keep the ledger,
      look at its own service.
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
        values = environment.worker
        disk = values.ephemeral_storage_gib or 20
        self.service = QueueService(
            self,
            "Worker",
            environment=environment,
            values=values,
            network=network,
            module="runtime.worker",
            work=messaging.all_download_tasks,
            scratch=True,
            settings=with_chosen(
                {
                    **common_settings(
                        mode="worker",
                        values=values,
                        environment=environment,
                        storage=storage,
                        messaging=messaging,
                    ),
                    "DOWNLOAD_TASKS_DLQ_URL": messaging.download_tasks.dead_letter_queue.queue_url,
                    **dlq_urls("DOWNLOAD_TASKS", messaging.other_download_tasks),
                    "BUCKET_NAME": storage.bucket.bucket_name,
                    "METADATA_TABLE_NAME": storage.metadata.table_name,
                    "SCRATCH_DIR": SCRATCH,
                    "SCRATCH_BUDGET_BYTES": str((disk - _DISK_RESERVE_GIB) * _GIB),
                    "DOWNLOAD_ALLOWED_HOSTS": ",".join(environment.export_api.download_hosts),
                },
                values,
            ),
        )
        self.service.allow_seeing_itself()
        for pair in messaging.all_download_tasks:
            work_through(self.service, pair)
        read_metadata(self.service, storage)
        write_objects(self.service, storage, written_prefixes(values))
        ledger(self.service, storage)
        ledger_of_parts(self.service, storage)
        read_api_secret(self.service, storage)
        publish_events(self.service)
