"""What guards data, weakened: every change is blocked."""

import json

import pytest

from tests.gate.rules.templates import (
    ABSENT,
    IMAGES,
    KEY,
    KMS,
    LEDGER,
    LOG_GROUP,
    NO_TTL,
    STORE,
    WORK,
    changed,
    with_rule,
)
from tests.gate.test_losses import BUCKET, altered, resource

PROTECTED = "protection-weakened"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # What deletes or archives objects, in every spelling.
        (STORE, with_rule(ExpirationInDays=365)),
        (STORE, with_rule(ExpirationDate="2030-01-01T00:00:00Z")),
        (STORE, with_rule(Prefix="exports/", ExpirationInDays=30)),
        (STORE, with_rule(ExpirationInDays={"Ref": "Days"})),
        (STORE, with_rule(NoncurrentVersionExpirationInDays=7)),
        (STORE, with_rule(NoncurrentVersionExpiration={"NoncurrentDays": 7})),
        (STORE, with_rule(Transition={"StorageClass": "GLACIER", "TransitionInDays": 30})),
        (STORE, with_rule(Transitions=[{"StorageClass": "DEEP_ARCHIVE", "TransitionInDays": 180}])),
        (STORE, with_rule(Transitions=[{"StorageClass": "GLACIER", "TransitionDate": "2030-01-01"}])),
        (STORE, with_rule(NoncurrentVersionTransitions=[{"StorageClass": "GLACIER", "TransitionInDays": 1}])),
        (STORE, with_rule(NoncurrentVersionTransition={"StorageClass": "GLACIER", "TransitionInDays": 1})),
        (
            STORE,
            changed(STORE, "LifecycleConfiguration.Rules.1.NoncurrentVersionExpiration.NoncurrentDays", 7),
        ),
        (
            STORE,
            changed(
                STORE, "LifecycleConfiguration.Rules.1.NoncurrentVersionExpiration.NewerNoncurrentVersions", 1
            ),
        ),
        (STORE, changed(STORE, "LifecycleConfiguration.Rules.2.ExpirationInDays", 3)),
        # https://github.com/hashicorp/terraform-provider-aws/issues/41835: a rule that lost its prefix.
        (STORE, changed(STORE, "LifecycleConfiguration.Rules.2.Prefix", ABSENT)),
        (STORE, changed(STORE, "LifecycleConfiguration.Rules.2.Prefix", "")),
        (STORE, changed(STORE, "LifecycleConfiguration.Rules.3.Status", "Enabled")),
        (
            STORE,
            changed(
                STORE, "LifecycleConfiguration.Rules.0.AbortIncompleteMultipartUpload.DaysAfterInitiation", 7
            ),
        ),
        (
            STORE,
            changed(
                STORE, "LifecycleConfiguration.Rules.0.AbortIncompleteMultipartUpload.DaysAfterInitiation", 14
            ),
        ),
        (
            STORE,
            altered(
                STORE,
                IntelligentTieringConfigurations=[
                    {
                        "Id": "t",
                        "Status": "Enabled",
                        "Tierings": [{"AccessTier": "ARCHIVE_ACCESS", "Days": 90}],
                    }
                ],
            ),
        ),
        # The bucket itself.
        (STORE, changed(STORE, "VersioningConfiguration", ABSENT)),
        (STORE, changed(STORE, "ObjectLockEnabled", ABSENT)),
        (STORE, changed(STORE, "ObjectLockConfiguration", ABSENT)),
        (STORE, changed(STORE, "ObjectLockConfiguration.Rule.DefaultRetention.Days", 7)),
        (STORE, changed(STORE, "ObjectLockConfiguration.Rule.DefaultRetention.Mode", "GOVERNANCE")),
        (STORE, changed(STORE, "BucketEncryption", ABSENT)),
        (STORE, changed(STORE, f"{KMS}.SSEAlgorithm", "AES256")),
        (STORE, changed(STORE, f"{KMS}.KMSMasterKeyID", "alias/other")),
        (STORE, changed(STORE, f"{KMS}.KMSMasterKeyID", ABSENT)),
        (STORE, changed(STORE, "OwnershipControls.Rules.0.ObjectOwnership", "ObjectWriter")),
        (STORE, changed(STORE, "OwnershipControls.Rules.0.ObjectOwnership", "BucketOwnerPreferred")),
        (STORE, changed(STORE, "OwnershipControls", ABSENT)),
        (BUCKET, altered(BUCKET, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})),
        (STORE, changed(STORE, "ReplicationConfiguration", ABSENT)),
        (STORE, changed(STORE, "ReplicationConfiguration.Rules.0.Status", "Disabled")),
        (
            STORE,
            changed(STORE, "ReplicationConfiguration.Rules.0.Destination.Bucket", "arn:aws:s3:::elsewhere"),
        ),
        (STORE, changed(STORE, "LoggingConfiguration", ABSENT)),
        (STORE, changed(STORE, "NotificationConfiguration", ABSENT)),
        (
            STORE,
            changed(STORE, "NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled", False),
        ),
        (STORE, STORE | {"DeletionPolicy": "Delete"}),
        (STORE, {key: value for key, value in STORE.items() if key != "UpdateReplacePolicy"}),
        # Tables.
        (NO_TTL, LEDGER),
        (LEDGER, changed(LEDGER, "TimeToLiveSpecification.AttributeName", "updated_at")),
        (changed(LEDGER, "TimeToLiveSpecification.Enabled", False), LEDGER),
        (LEDGER, changed(LEDGER, "PointInTimeRecoverySpecification.RecoveryPeriodInDays", 7)),
        (
            changed(LEDGER, "PointInTimeRecoverySpecification.RecoveryPeriodInDays", ABSENT),
            changed(LEDGER, "PointInTimeRecoverySpecification.RecoveryPeriodInDays", 1),
        ),
        (
            LEDGER,
            changed(LEDGER, "PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled", {"Ref": "P"}),
        ),
        (LEDGER, changed(LEDGER, "SSESpecification.SSEEnabled", False)),
        (LEDGER, changed(LEDGER, "SSESpecification.KMSMasterKeyId", "alias/other")),
        (LEDGER, changed(LEDGER, "SSESpecification", ABSENT)),
        (LEDGER, changed(LEDGER, "BillingMode", "PROVISIONED")),
        (LEDGER, changed(LEDGER, "BillingMode", ABSENT)),
        (LEDGER, changed(LEDGER, "OnDemandThroughput", {"MaxWriteRequestUnits": 5})),
        (LEDGER, changed(LEDGER, "GlobalSecondaryIndexes", ABSENT)),
        (LEDGER, changed(LEDGER, "GlobalSecondaryIndexes.0.IndexName", "by-day")),
        (LEDGER, changed(LEDGER, "GlobalSecondaryIndexes.0.Projection.ProjectionType", "KEYS_ONLY")),
        (LEDGER, changed(LEDGER, "StreamSpecification.StreamViewType", "KEYS_ONLY")),
        (LEDGER, changed(LEDGER, "AttributeDefinitions.0.AttributeType", "N")),
        (LEDGER, changed(LEDGER, "SSESpecification.SSEType", ABSENT)),
        (WORK, changed(WORK, "RedriveAllowPolicy.sourceQueueArns.1", "another")),
        (KEY, changed(KEY, "KeyPolicy", ABSENT)),
        (LEDGER, changed(LEDGER, "StreamSpecification", ABSENT)),
        (LEDGER, changed(LEDGER, "DeletionProtectionEnabled", {"Fn::If": ["Prod", True, False]})),
        # Queues.
        (WORK, changed(WORK, "MessageRetentionPeriod", 345_600)),
        (WORK, changed(WORK, "RedrivePolicy", ABSENT)),
        (WORK, changed(WORK, "RedrivePolicy.maxReceiveCount", 1)),
        (WORK, changed(WORK, "RedrivePolicy.maxReceiveCount", 1000)),
        (WORK, changed(WORK, "RedrivePolicy.maxReceiveCount", {"Ref": "Count"})),
        (WORK, altered(WORK, RedrivePolicy=json.dumps({"deadLetterTargetArn": "a", "maxReceiveCount": 5}))),
        (WORK, changed(WORK, "RedrivePolicy.deadLetterTargetArn", {"Fn::GetAtt": ["Work2", "Arn"]})),
        (WORK, changed(WORK, "RedriveAllowPolicy.redrivePermission", "allowAll")),
        (WORK, changed(WORK, "RedriveAllowPolicy", ABSENT)),
        (WORK, changed(WORK, "VisibilityTimeout", 10)),
        (WORK, changed(WORK, "VisibilityTimeout", ABSENT)),
        (WORK, changed(WORK, "VisibilityTimeout", 43_200)),
        (WORK, changed(WORK, "SqsManagedSseEnabled", False)),
        (WORK, changed(WORK, "KmsMasterKeyId", "alias/other")),
        (WORK, changed(WORK, "KmsMasterKeyId", ABSENT)),
        (WORK, changed(WORK, "KmsDataKeyReusePeriodSeconds", 86_400)),
        (WORK, changed(WORK, "MaximumMessageSize", 1024)),
        # Keys, logs, images, topics.
        (KEY, changed(KEY, "EnableKeyRotation", False)),
        (KEY, changed(KEY, "EnableKeyRotation", ABSENT)),
        (KEY, changed(KEY, "RotationPeriodInDays", 2560)),
        (KEY, changed(KEY, "PendingWindowInDays", 7)),
        (KEY, changed(KEY, "Enabled", False)),
        (KEY, changed(KEY, "BypassPolicyLockoutSafetyCheck", True)),
        (LOG_GROUP, changed(LOG_GROUP, "RetentionInDays", 7)),
        (altered(LOG_GROUP, RetentionInDays=None), LOG_GROUP),
        (LOG_GROUP, changed(LOG_GROUP, "KmsKeyId", ABSENT)),
        (altered(LOG_GROUP, DeletionProtectionEnabled=True), LOG_GROUP),
        (IMAGES, changed(IMAGES, "ImageScanningConfiguration.ScanOnPush", False)),
        (IMAGES, changed(IMAGES, "ImageTagMutability", "MUTABLE")),
        (IMAGES, changed(IMAGES, "LifecyclePolicy", {"LifecyclePolicyText": '{"rules": []}'})),
        (resource("AWS::SNS::Topic", KmsMasterKeyId="alias/a"), resource("AWS::SNS::Topic")),
        (
            resource("AWS::SNS::Topic", KmsMasterKeyId="alias/a"),
            resource("AWS::SNS::Topic", KmsMasterKeyId="alias/b"),
        ),
        (
            resource("AWS::KMS::Alias", AliasName="alias/a", TargetKeyId="k1"),
            resource("AWS::KMS::Alias", AliasName="alias/a", TargetKeyId="k2"),
        ),
        (resource("AWS::RDS::DBCluster", DeletionProtection=True), resource("AWS::RDS::DBCluster")),
        (
            resource("AWS::RDS::DBInstance", BackupRetentionPeriod=30),
            resource("AWS::RDS::DBInstance", BackupRetentionPeriod=1),
        ),
        (
            resource("AWS::Kinesis::Stream", RetentionPeriodHours=168),
            resource("AWS::Kinesis::Stream", RetentionPeriodHours=24),
        ),
        (
            resource("AWS::New::Store", Vault={"AtRestEncryptionEnabled": True}),
            resource("AWS::New::Store", Vault={}),
        ),
    ],
)
def test_what_guards_data_is_weakened(gate, before, after):
    answer = gate.change({"Thing": before}, {"Thing": after})
    assert answer.code == 1
    assert (PROTECTED, "Thing") in answer.kinds
