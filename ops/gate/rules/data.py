"""The guards of data: deletion protection, recovery, encryption, retention, versions."""

from collections.abc import Iterator
from math import inf

from ops.gate.model import Finding
from ops.gate.rules.comparison import Comparison
from ops.gate.rules.guard import Guard, guarded
from ops.gate.rules.tables import TABLE_GUARDS
from ops.gate.rules.values import (
    altered,
    appeared,
    different,
    lowered,
    outside,
    raised,
    ranked,
    removed,
    switched_off,
    switched_on,
    turned_false,
)

_QUEUE, _BUCKET = "AWS::SQS::Queue", "AWS::S3::Bucket"
_KEY, _LOGS = "AWS::KMS::Key", "AWS::Logs::LogGroup"
_SSE = r"BucketEncryption\.ServerSideEncryptionConfiguration\.[^.]+\.ServerSideEncryptionByDefault"

# By the property's name, whatever the type: what a new kind of store calls the same things.
_EVERYWHERE = (
    Guard(
        path=r"(.+\.)?(KMS|Kms)(Master)?Key(I[dD]|A(rn|RN)|Identifier)|(.+\.)?ReplicaKmsKeyID",
        weaker=altered,
        text="is another key: what is there needs the old one, and another policy decides who reads",
    ),
    Guard(
        path=r"(.+\.)?(\w*Encrypted|\w*EncryptionEnabled|SSEEnabled|Encrypt\w*AtRest|TransitEncryption)",
        weaker=switched_off,
        text="is switched off",
    ),
    Guard(
        path=r"(.+\.)?(DeletionProtection(Enabled|Config)?|PointInTimeRecoveryEnabled|MultiAZ|EnableKeyRotation)",
        weaker=switched_off,
        text="is switched off",
    ),
    Guard(
        path=r"(.+\.)?(BackupRetentionPeriod|RetentionPeriodHours|RetentionDays|AutomaticBackupRetentionDays"
        r"|SnapshotRetentionLimit|AutomatedSnapshotRetentionPeriod)",
        weaker=lowered(0),
        text="is shortened",
    ),
    Guard(
        path=r"(StreamEncryption|BackupPolicy|LockConfiguration|EncryptionConfiguration|EncryptionAtRestOptions"
        r"|FileSystemProtection)",
        weaker=removed,
        text="is removed",
    ),
)

_QUEUES = (
    Guard(
        type=_QUEUE,
        path="MessageRetentionPeriod",
        weaker=lowered(345_600),
        text="is shortened: messages expire earlier",
    ),
    Guard(
        type=_QUEUE,
        path="RedrivePolicy",
        weaker=removed,
        text="is removed: failing messages are dropped in the end",
    ),
    Guard(
        type=_QUEUE,
        path="RedrivePolicy.maxReceiveCount",
        weaker=outside(3, 20, absent=inf),
        text="is out of bounds (3 to 20): fewer parks what a deployment or a Spot interruption gave back, "
        "more lets a bad message crash worker after worker",
    ),
    Guard(
        type=_QUEUE,
        path="RedrivePolicy.deadLetterTargetArn",
        weaker=altered,
        text="is another queue: what is parked goes where no alarm and no redrive looks for it",
    ),
    Guard(
        type=_QUEUE,
        path="RedriveAllowPolicy.redrivePermission",
        weaker=ranked("allowAll", "byQueue", "denyAll", absent_before="allowAll", absent_after="allowAll"),
        text="lets more queues park here",
    ),
    Guard(
        type=_QUEUE,
        path=r"RedriveAllowPolicy\.sourceQueueArns\.[^.]+",
        weaker=appeared,
        text="may park here too",
    ),
    Guard(
        type=_QUEUE,
        path="VisibilityTimeout",
        weaker=lowered(30),
        text="is shortened: messages are handed out again while they are worked on",
    ),
    Guard(
        type=_QUEUE,
        path="VisibilityTimeout",
        weaker=outside(0, 7_200, absent=30),
        text="is more than two hours: what a crashed worker held waits that long",
    ),
    Guard(
        type=_QUEUE,
        path="MaximumMessageSize",
        weaker=lowered(262_144),
        text="is lowered: larger messages are refused to their senders",
    ),
    Guard(type=_QUEUE, path="SqsManagedSseEnabled", weaker=turned_false, text="is switched off"),
    Guard(
        type=_QUEUE,
        path="KmsDataKeyReusePeriodSeconds",
        weaker=raised(300),
        text="is longer: a key that was taken back goes on working",
    ),
)

_BUCKETS = (
    Guard(
        type=_BUCKET, path="VersioningConfiguration.Status", weaker=switched_off, text="is no longer Enabled"
    ),
    Guard(type=_BUCKET, path="ObjectLockEnabled", weaker=switched_off, text="is switched off"),
    Guard(type=_BUCKET, path="ObjectLockConfiguration(.Rule)?", weaker=removed, text="is removed"),
    Guard(
        type=_BUCKET,
        path=r"ObjectLockConfiguration\.Rule\.DefaultRetention\.(Days|Years)",
        weaker=lowered(0),
        text="is shortened",
    ),
    Guard(
        type=_BUCKET,
        path="ObjectLockConfiguration.Rule.DefaultRetention.Mode",
        weaker=ranked("GOVERNANCE", "COMPLIANCE"),
        text="is weaker: it can be lifted",
    ),
    Guard(type=_BUCKET, path="BucketEncryption", weaker=removed, text="is removed"),
    Guard(
        type=_BUCKET,
        path=rf"{_SSE}\.SSEAlgorithm",
        weaker=ranked("AES256", "aws:kms", "aws:kms:dsse"),
        text="is weaker: S3's own key instead of one whose use is ours to allow",
    ),
    Guard(
        type=_BUCKET,
        path=r"OwnershipControls\.Rules\.[^.]+\.ObjectOwnership",
        weaker=ranked(
            "ObjectWriter", "BucketOwnerPreferred", "BucketOwnerEnforced", absent_before="BucketOwnerEnforced"
        ),
        text="brings ACLs back: who writes an object may decide who reads it",
    ),
    Guard(
        type=_BUCKET,
        path=r"ReplicationConfiguration|ReplicationConfiguration\.Rules\.[^.]+",
        weaker=removed,
        text="is removed: the copies end",
    ),
    Guard(
        type=_BUCKET,
        path=r"ReplicationConfiguration\.Rules\.[^.]+\.Status",
        weaker=switched_off,
        text="is switched off: the copies end",
    ),
    Guard(
        type=_BUCKET,
        path=r"ReplicationConfiguration\.Rules\.[^.]+\.Destination\.(Bucket|Account)",
        weaker=altered,
        text="is another: the copies go elsewhere",
    ),
    Guard(
        type=_BUCKET, path="LoggingConfiguration", weaker=removed, text="is removed: accesses are not logged"
    ),
    Guard(
        type=_BUCKET,
        path=r"NotificationConfiguration\.EventBridgeConfiguration\.EventBridgeEnabled",
        weaker=switched_off,
        text="is switched off: who waits for new files hears of none",
    ),
)

_OTHERS = (
    Guard(type="AWS::SNS::Topic", path="KmsMasterKeyId", weaker=removed, text="is removed"),
    Guard(
        type=_LOGS, path="RetentionInDays", weaker=lowered(inf), text="is shortened: older logs are deleted"
    ),
    Guard(type=_LOGS, path="DataProtectionPolicy", weaker=altered, text="masks other data"),
    Guard(
        type=_KEY,
        path="PendingWindowInDays",
        weaker=lowered(30),
        text="is shortened: less time to notice a deletion",
    ),
    Guard(type=_KEY, path="KeyPolicy", weaker=removed, text="is removed: the account's own default applies"),
    Guard(type=_KEY, path="RotationPeriodInDays", weaker=raised(365), text="is longer"),
    Guard(
        type=_KEY,
        path="Enabled",
        weaker=turned_false,
        text="is switched off: what it encrypts cannot be read",
    ),
    Guard(
        type=_KEY,
        path="BypassPolicyLockoutSafetyCheck",
        weaker=switched_on,
        text="is switched on: a policy may lock everybody out",
        closed=None,
    ),
    Guard(
        type="AWS::KMS::Alias",
        path="TargetKeyId",
        weaker=altered,
        text="is another key: what the alias encrypted can no longer be read through it",
    ),
    Guard(
        type="AWS::ECR::Repository",
        path="ImageScanningConfiguration.ScanOnPush",
        weaker=switched_off,
        text="is switched off: images are not scanned",
    ),
    Guard(
        type="AWS::ECR::Repository",
        path="ImageTagMutability",
        weaker=ranked("MUTABLE", "MUTABLE_WITH_EXCLUSION", "IMMUTABLE_WITH_EXCLUSION", "IMMUTABLE"),
        text="lets a tag be moved to another image",
    ),
    Guard(
        type="AWS::ECR::Repository",
        path="LifecyclePolicy.LifecyclePolicyText",
        weaker=different,
        text="deletes other images: a rollback may find none",
    ),
    Guard(
        type="AWS::EFS::FileSystem",
        path=r"BackupPolicy\.Status",
        weaker=switched_off,
        text="is switched off",
    ),
    Guard(
        type="AWS::SecretsManager::Secret",
        path=r"ReplicaRegions\.[^.]+",
        weaker=appeared,
        text="copies the secret to another region",
    ),
)

GUARDS = (*_EVERYWHERE, *TABLE_GUARDS, *_QUEUES, *_BUCKETS, *_OTHERS)


def data_findings(comparison: Comparison) -> Iterator[Finding]:
    """The guards of an existing resource's data that no longer guard it, or not as well."""
    yield from guarded(comparison, GUARDS)
