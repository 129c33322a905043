"""The IAM rights that each command needs; docs/ops/permissions.md is made of it, and tests hold it to that.

A target is a resource by the word its ARN is found under: a table, a queue, the bucket's prefixes. Where the
environment has its own key, `kms:Decrypt` on it comes on top, and `kms:GenerateDataKey` to send messages.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Need(NamedTuple):
    """An action, and what it is needed on."""

    action: str
    target: str


def _each(target: str, *actions: str) -> tuple[Need, ...]:
    return tuple(Need(action, target) for action in actions)


_ITEM = _each("ledger", "dynamodb:GetItem")
_JOB = _each("ledger", "dynamodb:GetItem", "dynamodb:Query")
_JOBS = (*_ITEM, *_each("ledger", "dynamodb:BatchGetItem"), *_each("ledger index", "dynamodb:Query"))
_NAMES = _each("*", "ecs:ListServices", "ecs:DescribeServices", "ecs:DescribeTaskDefinition")
_MANIFESTS = _each("manifests", "s3:GetObject")
_LISTING = _each("bucket", "s3:ListBucket")
_DLQ = _each("DLQs", "sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes")
_TAKE = _each("DLQs", "sqs:DeleteMessage")
_DEPTHS = _each("queues and DLQs", "sqs:GetQueueAttributes")
_METRICS = _each("*", "cloudwatch:GetMetricData", "cloudwatch:GetMetricStatistics")
_SUBMIT = _each("export-jobs", "sqs:SendMessage")
_LOOK = (*_JOB, *_JOBS, *_DEPTHS, *_METRICS)

EVERY = _each("stacks", "cloudformation:DescribeStacks")
"""Of every command in an account; the local platform is found by a file."""
READS: Mapping[str, tuple[Need, ...]] = {
    "status": _JOB,
    "jobs": _JOBS,
    "why": (
        *_JOB,
        *_each("stacks", "cloudformation:ListStackResources"),
        *_each("log groups", "logs:StartQuery"),
        *_each("*", "logs:GetQueryResults"),
    ),
    "missing": (*_ITEM, *_MANIFESTS),
    "manifest": (*_NAMES, *_LISTING, *_MANIFESTS),
    "verify": (*_NAMES, *_LISTING, *_each("files", "s3:GetObject"), *_each("metadata", "dynamodb:Query")),
    "watch": tuple(dict.fromkeys(_LOOK)),
    "circuits": _ITEM,
    "dlq list": _DLQ,
    "dlq show": _DLQ,
    "serve": tuple(dict.fromkeys((*_LOOK, *_JOB, *_JOBS, *_MANIFESTS, *_DLQ))),
}
"""What reads. Looking at a DLQ is receiving from it: a role that may not has no `dlq list`."""
WRITES: Mapping[str, tuple[Need, ...]] = {
    "submit": _SUBMIT,
    "retry": (*_ITEM, *_SUBMIT),
    "pause": (*_ITEM, *_each("ledger", "dynamodb:UpdateItem")),
    "resume": (*_ITEM, *_each("ledger", "dynamodb:UpdateItem")),
    "dlq redrive": (
        *_DLQ,
        *_TAKE,
        *_each("DLQs", "sqs:StartMessageMoveTask", "sqs:ListMessageMoveTasks"),
        *_each("queues", "sqs:SendMessage"),
    ),
    "dlq drop": (*_DLQ, *_TAKE),
}
