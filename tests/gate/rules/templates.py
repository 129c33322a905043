"""Well-guarded resources that the rules' tests weaken one property at a time."""

import copy
from typing import Any

from tests.gate.test_losses import BUCKET, KEPT, LOGS, TABLE, altered, resource

C = "ContainerDefinitions.0"
OWN, OTHER = "111122223333", "999988887777"
ABSENT = object()


def changed(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with the value at a dotted path (numbers are list positions) set, or taken away."""
    body = copy.deepcopy(body)
    at = body["Properties"]
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in way:
        at = at[part] if isinstance(part, int) else at.setdefault(part, {})
    if value is ABSENT:
        del at[last]
    elif isinstance(at, list) and last == len(at):
        at.append(value)
    else:
        at[last] = value
    return body


def rules(*bodies: dict[str, Any]) -> dict[str, Any]:
    return {"Rules": [{"Status": "Enabled", **body} for body in bodies]}


STORE = resource(
    "AWS::S3::Bucket",
    **KEPT,
    **BUCKET["Properties"]
    | {
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [
                {
                    "ServerSideEncryptionByDefault": {
                        "SSEAlgorithm": "aws:kms",
                        "KMSMasterKeyID": {"Fn::GetAtt": ["Key", "Arn"]},
                    }
                }
            ]
        },
        "LifecycleConfiguration": rules(
            {"Id": "uploads", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 15}},
            {
                "Id": "old",
                "NoncurrentVersionExpiration": {"NoncurrentDays": 30, "NewerNoncurrentVersions": 3},
            },
            {"Id": "scratch", "Prefix": "scratch/", "ExpirationInDays": 10},
            {"Id": "off", "Status": "Disabled", "ExpirationInDays": 1},
        ),
        "LoggingConfiguration": {"DestinationBucketName": "logs"},
        "NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}},
        "ObjectLockConfiguration": {"Rule": {"DefaultRetention": {"Days": 30, "Mode": "COMPLIANCE"}}},
        "ObjectLockEnabled": True,
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "ReplicationConfiguration": {
            "Role": "arn:aws:iam::111122223333:role/copy",
            "Rules": [{"Id": "all", "Status": "Enabled", "Destination": {"Bucket": "arn:aws:s3:::copies"}}],
        },
    },
)
LIFE = STORE["Properties"]["LifecycleConfiguration"]["Rules"]
KMS = "BucketEncryption.ServerSideEncryptionConfiguration.0.ServerSideEncryptionByDefault"


def with_rule(**rule: Any) -> dict[str, Any]:
    return changed(STORE, f"LifecycleConfiguration.Rules.{len(LIFE)}", {"Status": "Enabled", **rule})


LEDGER = resource(
    "AWS::DynamoDB::Table",
    **KEPT,
    **TABLE["Properties"]
    | {
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "by-date",
                "KeySchema": [{"AttributeName": "d", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 35},
        "SSESpecification": {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": {"Ref": "Key"}},
        "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
        "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True},
    },
)
NO_TTL = changed(LEDGER, "TimeToLiveSpecification", ABSENT)
WORK = resource(
    "AWS::SQS::Queue",
    **KEPT,
    QueueName="work",
    KmsMasterKeyId="alias/work",
    MaximumMessageSize=1_048_576,
    MessageRetentionPeriod=1_209_600,
    RedriveAllowPolicy={"redrivePermission": "byQueue", "sourceQueueArns": ["x"]},
    RedrivePolicy={"deadLetterTargetArn": {"Fn::GetAtt": ["Dlq", "Arn"]}, "maxReceiveCount": 5},
    SqsManagedSseEnabled=True,
    VisibilityTimeout=300,
)
KEY = resource(
    "AWS::KMS::Key",
    **KEPT,
    EnableKeyRotation=True,
    PendingWindowInDays=30,
    RotationPeriodInDays=365,
    KeyPolicy={
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "kms:*",
                "Resource": "*",
                "Principal": {"AWS": f"arn:aws:iam::{OWN}:root"},
            }
        ]
    },
)
LOG_GROUP = altered(LOGS, KmsKeyId={"Fn::GetAtt": ["Key", "Arn"]})
IMAGES = resource(
    "AWS::ECR::Repository",
    **KEPT,
    ImageScanningConfiguration={"ScanOnPush": True},
    ImageTagMutability="IMMUTABLE",
)
APP = {
    "Name": "app",
    "Image": "111122223333.dkr.ecr.eu-west-1.amazonaws.com/assets:" + "0" * 64,
    "User": "10001:10001",
    "ReadonlyRootFilesystem": True,
    "StopTimeout": 120,
    "HealthCheck": {"Command": ["CMD", "true"]},
    "LinuxParameters": {"Capabilities": {"Drop": ["ALL"]}},
    "LogConfiguration": {"LogDriver": "awslogs", "Options": {"awslogs-group": {"Ref": "Logs"}}},
    "Environment": [
        {"Name": "QUEUE_URL", "Value": {"Ref": "Work"}},
        {"Name": "API_SECRET_ARN", "Value": "arn:x"},
    ],
    "MountPoints": [{"SourceVolume": "scratch", "ContainerPath": "/scratch", "ReadOnly": True}],
}
TASK = resource(
    "AWS::ECS::TaskDefinition",
    ContainerDefinitions=[APP],
    NetworkMode="awsvpc",
    TaskRoleArn={"Fn::GetAtt": ["Role", "Arn"]},
    ExecutionRoleArn={"Fn::GetAtt": ["Execution", "Arn"]},
)
SERVICE = resource(
    "AWS::ECS::Service",
    AvailabilityZoneRebalancing="DISABLED",
    CapacityProviderStrategy=[{"CapacityProvider": "FARGATE", "Base": 6, "Weight": 1}],
    DeploymentConfiguration={
        "Alarms": {"AlarmNames": [{"Ref": "Alarm"}], "Enable": True, "Rollback": True},
        "DeploymentCircuitBreaker": {"Enable": True, "Rollback": True},
        "MinimumHealthyPercent": 100,
    },
    NetworkConfiguration={
        "AwsvpcConfiguration": {
            "AssignPublicIp": "DISABLED",
            "SecurityGroups": [{"Fn::GetAtt": ["Group", "GroupId"]}],
        }
    },
)
TARGET = resource("AWS::ApplicationAutoScaling::ScalableTarget", MinCapacity=1, MaxCapacity=10)
CLUSTER = resource("AWS::ECS::Cluster", ClusterSettings=[{"Name": "containerInsights", "Value": "enabled"}])


def either(*alarms: str) -> dict[str, Any]:
    """The rule of a composite over alarms, as the CDK writes it."""
    parts = [part for name in alarms for part in (' OR ALARM("', {"Fn::GetAtt": [name, "Arn"]}, '")')]
    return {"Fn::Join": ["", ["FALSE", *parts]]}


ALARM = resource(
    "AWS::CloudWatch::Alarm",
    ActionsEnabled=True,
    AlarmActions=[{"Ref": "Topic"}, "arn:aws:sns:eu-west-1:111122223333:second"],
    ComparisonOperator="GreaterThanThreshold",
    EvaluationPeriods=3,
    MetricName="Parked",
    Period=60,
    Threshold=5,
    TreatMissingData="breaching",
)
COMPOSITE = resource(
    "AWS::CloudWatch::CompositeAlarm",
    AlarmActions=[{"Ref": "Topic"}],
    AlarmRule=either("A", "B"),
)
FLOWS = resource(
    "AWS::EC2::FlowLog", TrafficType="ALL", LogGroupName={"Ref": "Logs"}, MaxAggregationInterval=60
)
ENDPOINT = resource("AWS::EC2::VPCEndpoint", ServiceName="s3", VpcId="v", PrivateDnsEnabled=True)
RULE = resource(
    "AWS::Events::Rule",
    EventPattern={"source": ["aws.ecs"]},
    State="ENABLED",
    Targets=[{"Id": "logs", "Arn": {"Ref": "Logs"}}],
)
TRAIL = resource("AWS::CloudTrail::Trail", IsLogging=True, EnableLogFileValidation=True)
SUBSCRIPTION = resource(
    "AWS::SNS::Subscription", Endpoint="oncall@example.com", Protocol="email", TopicArn="t"
)
