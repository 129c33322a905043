"""Live properties of moto's own types, in the template's spelling, for drift; None: the property is not set.

Each is a function of the API and the resource's physical id. It answers with no property at all, or with one
of the errors in GONE, when the resource was deleted behind CloudFormation's back. Left out is what moto drops
at creation: a table's recovery and time to live, a bucket's versioning, access block and life cycle.
"""

import json
from collections.abc import Callable
from typing import Any

from local.cloudformation.model import Properties

Client = Callable[[str], Any]

GONE = frozenset(
    {
        "404",
        "AWS.SimpleQueueService.NonExistentQueue",
        "NoSuchEntity",
        "NotFound",
        "ResourceNotFoundException",
    }
)
_QUEUE = ("VisibilityTimeout", "MessageRetentionPeriod", "DelaySeconds", "ReceiveMessageWaitTimeSeconds")


def _queue(client: Client, url: str) -> Properties:
    attributes = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    live: Properties = {name: int(attributes[name]) for name in _QUEUE if name in attributes}
    redrive = attributes.get("RedrivePolicy")
    return live | {"RedrivePolicy": json.loads(redrive) if redrive else None}


def _log_group(client: Client, name: str) -> Properties:
    groups = client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    for group in groups:
        if group["logGroupName"] == name:
            return {"RetentionInDays": group.get("retentionInDays"), "LogGroupName": name}
    return {}


def _table(client: Client, name: str) -> Properties:
    table = client("dynamodb").describe_table(TableName=name)["Table"]
    return {
        "KeySchema": table["KeySchema"],
        "DeletionProtectionEnabled": table.get("DeletionProtectionEnabled", False),
    }


def _role(client: Client, name: str) -> Properties:
    role = client("iam").get_role(RoleName=name)["Role"]
    return {
        "AssumeRolePolicyDocument": role["AssumeRolePolicyDocument"],
        "MaxSessionDuration": role.get("MaxSessionDuration"),
    }


def _topic(client: Client, arn: str) -> Properties:
    attributes = client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]
    return {
        "DisplayName": attributes.get("DisplayName") or None,
        "KmsMasterKeyId": attributes.get("KmsMasterKeyId"),
    }


READERS: dict[str, Callable[[Client, str], Properties]] = {
    "AWS::DynamoDB::Table": _table,
    "AWS::IAM::Role": _role,
    "AWS::Logs::LogGroup": _log_group,
    "AWS::SNS::Topic": _topic,
    "AWS::SQS::Queue": _queue,
}
