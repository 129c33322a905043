"""The environment variables that both services get from what is deployed.

Only what the infrastructure decides is said here; everything else is the runtime's own default. Names and
types are checked at synth against runtime/settings.schema.json (`stacks.validation.settings`).
"""

import math

from stacks.constructs.queue_service import STOP_TIMEOUT
from stacks.messaging import MessagingStack
from stacks.storage import StorageStack
from stacks.values import Environment, Service

_PROTECTION_MARGIN_MINUTES = 30


def common_settings(
    *, mode: str, values: Service, environment: Environment, storage: StorageStack, messaging: MessagingStack
) -> dict[str, str]:
    """Variables of both services; `mode` is the SERVICE_MODE."""
    queues = environment.messaging
    return {
        "SERVICE_MODE": mode,
        "ENVIRONMENT": environment.name,
        "SLOTS": str(values.slots),
        "LEDGER_TABLE_NAME": storage.ledger.table_name,
        "LEDGER_RETENTION_DAYS": str(environment.ledger_retention_days),
        "DOWNLOAD_TASKS_QUEUE_URL": messaging.download_tasks.queue.queue_url,
        "EXPORT_API_BASE_URL": environment.export_api.base_url,
        "EXPORT_API_AUTH": environment.export_api.auth,
        "EXPORT_API_SECRET_ARN": storage.api_secret.secret_arn,
        "VISIBILITY_TIMEOUT_S": str(queues.visibility_timeout_s),
        "HEARTBEAT_INTERVAL_S": str(queues.heartbeat_interval_s),
        "HANDOVER_AFTER_S": str(queues.handover_after_s),
        "MAX_RECEIVE_COUNT": str(queues.max_receive_count),
        # A task that is busy with one message up to its hand-over stays protected without any renewal.
        "PROTECTION_MINUTES": str(math.ceil(queues.handover_after_s / 60) + _PROTECTION_MARGIN_MINUTES),
        "STOP_TIMEOUT_S": str(STOP_TIMEOUT.to_seconds()),
    }
