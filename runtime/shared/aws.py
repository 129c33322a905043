"""boto3 clients with time-outs, pool sizes and retries that suit the number of slots.

What is called for every message goes past botocore, to the same effect.

Clients are thread-safe; creating them is not, so services make theirs once at start-up. The endpoint, region
and credentials come from the standard AWS variables.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from runtime.shared.aws_client.beside_botocore import client_beside
from runtime.shared.aws_client.client import AwsClient
from runtime.shared.aws_client.json_service import dynamodb_directly, sqs_directly

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

CONNECT_TIMEOUT_S = 3.0
READ_TIMEOUT_S = 10.0
# Beyond the slots: heartbeat, renewals, deletes and the poll loops need connections of their own.
_SPARE_CONNECTIONS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsClients:
    """The clients that both services use; `session` makes further ones in the same way."""

    session: boto3.Session
    sqs: "SQSClient"
    polling: "SQSClient"
    dynamodb: "DynamoDBClient"
    events: "EventBridgeClient"
    secrets: "SecretsManagerClient"


def aws_clients(*, slots: int, poll_wait_s: float) -> AwsClients:
    """Every client that both services need, sized for `slots` threads."""
    session = boto3.Session()
    config = client_config(slots + _SPARE_CONNECTIONS)
    poll_timeout_s = poll_wait_s + READ_TIMEOUT_S
    sqs = session.client("sqs", config=config)
    # A poll that fails is simply made again by its loop; a hidden second try would look like a frozen
    # process.
    polling = session.client("sqs", config=client_config(10, read_timeout_s=poll_timeout_s, attempts=1))
    dynamodb = session.client("dynamodb", config=config)

    def direct(boto: Any, read_timeout_s: float = READ_TIMEOUT_S) -> AwsClient:
        return client_beside(
            boto, session, connect_timeout_s=CONNECT_TIMEOUT_S, read_timeout_s=read_timeout_s, paced=False
        )

    return AwsClients(
        session=session,
        sqs=sqs_directly(sqs, direct(sqs)),
        polling=sqs_directly(polling, direct(polling, poll_timeout_s), timeouts_again=False),
        dynamodb=dynamodb_directly(dynamodb, direct(dynamodb)),
        events=session.client("events", config=config),
        secrets=session.client("secretsmanager", config=config),
    )


def client_config(connections: int, *, read_timeout_s: float = READ_TIMEOUT_S, attempts: int = 4) -> Config:
    """Standard retries and keep-alive for long-lived connections.

    The retries have their own quota against retry storms.
    """
    retries: dict[str, Any] = {"mode": "standard", "total_max_attempts": attempts}
    return Config(
        max_pool_connections=connections,
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=read_timeout_s,
        retries=retries,  # type: ignore[arg-type]
        tcp_keepalive=True,
    )
