"""The environment variables that both services get from what is deployed.

What the infrastructure decides is said here, the rest is the environment's choice or the runtime's own
default. Names and types are checked at synth against runtime/settings.schema.json
(`stacks.validation.settings`).
"""

import math
from collections.abc import Mapping
from typing import Literal

from stacks.constructs.queue_service import STOP_TIMEOUT
from stacks.constructs.queue_with_dlq import QueueWithDlq
from stacks.messaging import MessagingStack
from stacks.runtime_settings import as_text
from stacks.storage import StorageStack
from stacks.values import Environment, Priorities, Service

_PROTECTION_MARGIN_MINUTES = 30
# What another value would break, though the service itself could live with it.
_FIXED = {
    "EVENT_BUS_NAME": "the task roles may publish on the default bus only",
    "METRICS_NAMESPACE": "the alarms and the dashboard read it",
    "DOWNLOAD_ALLOW_HTTP": "the security groups let nothing but HTTPS out",
}


Mode = Literal["orchestrator", "worker"]


def queue_urls(prefix: str, pairs: Mapping[str, QueueWithDlq]) -> dict[str, str]:
    """The variables that name the queues of the other priorities."""
    return {f"{prefix}_{name.upper()}_QUEUE_URL": pair.queue.queue_url for name, pair in pairs.items()}


def dlq_urls(prefix: str, pairs: Mapping[str, QueueWithDlq]) -> dict[str, str]:
    """The variables that name what is behind those queues."""
    return {
        f"{prefix}_{name.upper()}_DLQ_URL": pair.dead_letter_queue.queue_url for name, pair in pairs.items()
    }


def _weights(priorities: Priorities | None) -> dict[str, str]:
    if priorities is None:
        return {}
    return {f"PRIORITY_WEIGHT_{name.upper()}": str(weight) for name, weight in priorities}


class NotASetting(ValueError):
    """An environment chose a variable that is not its to choose."""


def with_chosen(decided: Mapping[str, str], values: Service) -> dict[str, str]:
    """The variables that the stacks decide, and those that the environment chose beside them.

    Raises NotASetting for one that the stacks decide, or that they rely on.
    """
    mode = decided["SERVICE_MODE"]
    for name in values.settings:
        if name in decided:
            raise NotASetting(
                f"The {mode}'s settings name {name}, which the stacks decide from other values of the "
                "environment: change those (docs/environments.md)."
            )
        if name in _FIXED:
            raise NotASetting(f"The {mode}'s settings name {name}, but {_FIXED[name]}: leave it out.")
    return {**decided, **{name: as_text(value) for name, value in values.settings.items()}}


def longest_outage_s(environment: Environment) -> str:
    """How long work waits for others, whatever it waits for."""
    return f"{environment.load.longest_outage_hours * 3600:g}"


def common_settings(
    *, mode: Mode, values: Service, environment: Environment, storage: StorageStack, messaging: MessagingStack
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
        **queue_urls("DOWNLOAD_TASKS", messaging.other_download_tasks),
        **_weights(queues.priorities),
        **environment.export_api.settings(mode),
        "EXPORT_API_SECRET_ARN": storage.api_secret.secret_arn,
        "VISIBILITY_TIMEOUT_S": str(queues.visibility_timeout_s),
        "HEARTBEAT_INTERVAL_S": str(queues.heartbeat_interval_s),
        "HANDOVER_AFTER_S": str(queues.handover_after_s),
        "MAX_RECEIVE_COUNT": str(queues.max_receive_count),
        "LONGEST_OUTAGE_S": longest_outage_s(environment),
        # What would be costly to hand over is protected up to its hand-over without any renewal.
        "PROTECTION_MINUTES": str(math.ceil(queues.handover_after_s / 60) + _PROTECTION_MARGIN_MINUTES),
        "STOP_TIMEOUT_S": str(STOP_TIMEOUT.to_seconds()),
    }
