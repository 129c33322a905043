"""Everything that must outlive a deployment: the files, the ledger, the metadata, the credentials."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from stacks.acknowledgements import acknowledge
from stacks.constructs.durable_table import DurableTable
from stacks.constructs.removal import data_removal
from stacks.data_names import metadata_keys, object_prefix
from stacks.values import Environment

_NO_ACCESS_LOGS = (
    "The ledger and the manifests record every write, and the account's CloudTrail data events record reads. "
    "Access logs would be millions of small objects a day beside them"
)
_VENDOR_ROTATES = (
    "The vendor issues the credentials, so no function of ours could rotate them; the services read the "
    "secret again every few minutes and on a 401"
)


class StorageStack(cdk.Stack):
    """Builds:

    - the bucket that holds the extracted files and the manifests;
    - the ledger table: one item per job and per task, expiring after retention;
    - the metadata table, unless the environment names one that its owners keep;
    - the secret with the Export API's credentials, whose value operators fill in;
    - an encryption key for all of these, when the environment asks for its own.
    """

    def __init__(self, scope: Construct, id_: str, *, environment: Environment, **kwargs: Any) -> None:
        super().__init__(scope, id_, termination_protection=environment.storage.protected, **kwargs)
        self._values = environment.storage
        self._worker = environment.worker
        self.key = self._encryption_key()
        self.bucket = self._bucket()
        self.ledger = DurableTable(
            self,
            "Ledger",
            partition_key="export_job_id",
            sort_key="item",
            time_to_live="expires_at",
            protected=self._values.protected,
            key=self.key,
        ).table
        # "Which jobs are in this state, latest first?" without a scan. Only job items carry the keys, and
        # they change with a job's state alone: a few writes a job, none for its tasks or its counts.
        self.ledger.add_global_secondary_index(
            index_name="jobs-by-status",
            partition_key=dynamodb.Attribute(name="job_status", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="status_since", type=dynamodb.AttributeType.NUMBER),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )
        self.metadata = self._metadata_table()
        self.metadata_key = self._metadata_key()
        self.api_secret = self._api_secret()
        cdk.CfnOutput(self, "BucketName", value=self.bucket.bucket_name)
        cdk.CfnOutput(self, "LedgerTableName", value=self.ledger.table_name)
        cdk.CfnOutput(self, "MetadataTableName", value=self.metadata.table_name)
        cdk.CfnOutput(self, "ExportApiSecretArn", value=self.api_secret.secret_arn)

    @property
    def _removal_policy(self) -> cdk.RemovalPolicy:
        return data_removal(protected=self._values.protected)

    def _encryption_key(self) -> kms.IKey | None:
        if self._values.existing_key_arn is not None:
            return kms.Key.from_key_arn(self, "Key", self._values.existing_key_arn)
        if not self._values.customer_managed_key:
            return None
        key = kms.Key(
            self,
            "Key",
            description="Export processing: files, tables, credentials and alarms",
            enable_key_rotation=True,
            # A key that is lost takes with it what it encrypted, protected or not.
            removal_policy=data_removal(protected=True),
        )
        # An alarm publishes to an encrypted topic in the name of CloudWatch, not of anyone's role.
        key.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                resources=["*"],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )
        return key

    def _bucket(self) -> s3.Bucket:
        values = self._values
        tiering = values.infrequent_access_after_days
        bucket = s3.Bucket(
            self,
            "Bucket",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            bucket_key_enabled=True if self.key else None,
            encryption=s3.BucketEncryption.KMS if self.key else s3.BucketEncryption.S3_MANAGED,
            encryption_key=self.key,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            removal_policy=self._removal_policy,
            versioned=True,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="abandoned-uploads",
                    abort_incomplete_multipart_upload_after=cdk.Duration.days(values.aborted_uploads_days),
                ),
                s3.LifecycleRule(
                    id="replaced-versions",
                    noncurrent_version_expiration=cdk.Duration.days(values.noncurrent_versions_days),
                    expired_object_delete_marker=True,
                ),
                *(
                    [
                        s3.LifecycleRule(
                            id="infrequent-access",
                            prefix=object_prefix(self._worker),
                            transitions=[
                                s3.Transition(
                                    storage_class=s3.StorageClass.INFREQUENT_ACCESS,
                                    transition_after=cdk.Duration.days(tiering),
                                )
                            ],
                        )
                    ]
                    if tiering is not None
                    else []
                ),
            ],
        )
        # The L2's `event_bridge_enabled` does this with a Lambda function; CloudFormation knows it itself.
        resource = bucket.node.default_child
        assert isinstance(resource, s3.CfnBucket)
        resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(
                event_bridge_enabled=True
            )
        )
        acknowledge(
            bucket,
            {
                "AwsSolutions-S1": _NO_ACCESS_LOGS,
                "NIST.800.53.R5-S3BucketLoggingEnabled": _NO_ACCESS_LOGS,
                "NIST.800.53.R5-S3BucketReplicationEnabled": "Every file can be exported again, old versions "
                "are kept, and a second copy of 50 TB a day would double the bill",
            },
        )
        if self.key is None:
            acknowledge(
                bucket,
                {"NIST.800.53.R5-S3DefaultEncryptionKMS": "S3's own keys: this environment has no CMK"},
            )
        return bucket

    def _api_secret(self) -> secretsmanager.Secret:
        secret = secretsmanager.Secret(
            self,
            "ExportApiSecret",
            description="Credentials for the Export API; the value is filled in by operators",
            encryption_key=self.key,
            removal_policy=self._removal_policy,
        )
        # The L2 always asks for a generated value: a random text that services would take for credentials,
        # and that a later change of the property would put in place of the operators' value.
        resource = secret.node.default_child
        assert isinstance(resource, secretsmanager.CfnSecret)
        resource.add_property_deletion_override("GenerateSecretString")
        acknowledge(
            secret,
            {
                "AwsSolutions-SMG4": _VENDOR_ROTATES,
                "NIST.800.53.R5-SecretsManagerRotationEnabled": _VENDOR_ROTATES,
            },
        )
        if self.key is None:
            acknowledge(
                secret,
                {"NIST.800.53.R5-SecretsManagerUsingKMSKey": "AWS's own key: this environment has no CMK"},
            )
        return secret

    def _metadata_key(self) -> kms.IKey | None:
        """The key that the metadata is encrypted with: an existing table's is its owners' choice."""
        if self._values.existing_metadata_table is None:
            return self.key
        arn = self._values.existing_metadata_key_arn
        return None if arn is None else kms.Key.from_key_arn(self, "MetadataKey", arn)

    def _metadata_table(self) -> dynamodb.ITable:
        if self._values.existing_metadata_table is not None:
            return dynamodb.Table.from_table_name(self, "Metadata", self._values.existing_metadata_table)
        partition_key, sort_key = metadata_keys(self._worker)
        return DurableTable(
            self,
            "Metadata",
            partition_key=partition_key,
            sort_key=sort_key,
            protected=self._values.protected,
            key=self.key,
        ).table
