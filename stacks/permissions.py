"""The rights of a task role, one function per thing the runtime does.

Actions are spelled out rather than granted by the CDK's `grant_*` methods, which are broader than what the
runtime calls. `tests/stacks/test_permissions.py` compares them in both directions with the calls recorded
while the end-to-end tests ran.
"""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs

from stacks.acknowledgements import acknowledge, wildcard
from stacks.constructs.queue_service import QueueService
from stacks.constructs.queue_with_dlq import QueueWithDlq
from stacks.storage import StorageStack
from stacks.values import SYSTEM

# The detail-types of docs/events, all with the system's name as their source.
EVENTS = (
    "Export Job Completed",
    "Export Job Incomplete",
    "Export Job Failed",
    "Export Task Parked",
    "Export Circuit Changed",
)


def work_through(service: QueueService, work: QueueWithDlq) -> None:
    """Receive, keep and delete messages; send fresh copies on hand-over; park what can never succeed."""
    service.allow(
        ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:SendMessage"],
        [work.queue.queue_arn],
    )
    send(service, work.dead_letter_queue)


def send(service: QueueService, queue: sqs.IQueue) -> None:
    """Put messages on a queue that somebody else reads."""
    service.allow(["sqs:SendMessage"], [queue.queue_arn])


def ledger(service: QueueService, storage: StorageStack) -> None:
    """Claim, renew and finish units of work: reads and conditional updates, alone or in a transaction."""
    service.allow(["dynamodb:GetItem", "dynamodb:UpdateItem"], [storage.ledger.table_arn])
    # Writes too only decrypt: DynamoDB unwraps the table's own data key in the caller's name.
    _use_key(service, storage.key, ["kms:Decrypt"], via="dynamodb")


def ledger_of_parts(service: QueueService, storage: StorageStack) -> None:
    """Split a task, beside `ledger`: look at all its parts, and write one on condition of the others."""
    service.allow(["dynamodb:Query", "dynamodb:ConditionCheckItem"], [storage.ledger.table_arn])


def read_metadata(service: QueueService, storage: StorageStack) -> None:
    """Look up what should be in an archive, count what should be there in all; nothing is ever written."""
    service.allow(
        ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"], [storage.metadata.table_arn]
    )
    _use_key(service, storage.metadata_key, ["kms:Decrypt"], via="dynamodb")


def write_objects(service: QueueService, storage: StorageStack, prefixes: Sequence[str]) -> None:
    """Write and check objects under the prefixes; nothing there can be deleted."""
    bucket = storage.bucket
    service.allow(
        ["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
        [bucket.arn_for_objects(f"{prefix}*") for prefix in prefixes],
    )
    exported = storage.resolve(storage.export_value(bucket.bucket_arn))["Fn::ImportValue"]
    acknowledge(
        service.task_definition.task_role,
        {
            wildcard(f"{exported}/{prefix}*"): "Keys follow the archives' contents; the prefix bounds them"
            for prefix in prefixes
        },
    )
    # The right to list makes S3 answer 404 and not 403 for an object that is not there yet. No condition on
    # s3:prefix: a HEAD carries no prefix, would not meet it, and every first upload would be refused. The
    # bucket holds nothing but these prefixes.
    service.allow(["s3:ListBucket"], [bucket.bucket_arn])
    # Decrypt beside GenerateDataKey: completing a multipart upload reads the parts back.
    _use_key(service, storage.key, ["kms:GenerateDataKey", "kms:Decrypt"], via="s3")


def read_api_secret(service: QueueService, storage: StorageStack) -> None:
    """Read the Export API's credentials, again after each rotation."""
    service.allow(["secretsmanager:GetSecretValue"], [storage.api_secret.secret_arn])
    _use_key(service, storage.key, ["kms:Decrypt"], via="secretsmanager")


def _use_key(service: QueueService, key: kms.IKey | None, actions: Sequence[str], *, via: str) -> None:
    """Let an AWS service use the key in the role's name. The role itself can decrypt nothing with it."""
    if key is not None:
        region = cdk.Stack.of(service).region
        service.allow(
            actions, [key.key_arn], {"StringEquals": {"kms:ViaService": f"{via}.{region}.amazonaws.com"}}
        )


def publish_events(service: QueueService) -> None:
    """Say how a job ended, that a task was parked, that a circuit opened or closed."""
    bus = cdk.Stack.of(service).format_arn(service="events", resource="event-bus", resource_name="default")
    # The default bus carries AWS's events as well: a task may say these things, in this system's name only.
    service.allow(
        ["events:PutEvents"],
        [bus],
        {"StringEquals": {"events:source": SYSTEM, "events:detail-type": list(EVENTS)}},
    )
