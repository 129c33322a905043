"""A DynamoDB table that can be restored to any second of the last 35 days."""

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from constructs import Construct

from stacks.acknowledgements import acknowledge
from stacks.constructs.removal import data_removal


class DurableTable(Construct):
    """Builds:

    - a table with text keys, on demand, with point-in-time recovery and, when protected, deletion protection.

    `Table` and not `TableV2`: the latter is a global table, which the local platform cannot create, and one
    region is all there is.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        partition_key: str,
        sort_key: str,
        protected: bool,
        key: kms.IKey | None,
        time_to_live: str | None = None,
    ) -> None:
        super().__init__(scope, id_)
        self.table = dynamodb.Table(
            self,
            "Table",
            partition_key=dynamodb.Attribute(name=partition_key, type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name=sort_key, type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            deletion_protection=protected,
            encryption=(
                dynamodb.TableEncryption.CUSTOMER_MANAGED if key else dynamodb.TableEncryption.AWS_MANAGED
            ),
            encryption_key=key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            removal_policy=data_removal(protected=protected),
            time_to_live_attribute=time_to_live,
        )
        acknowledge(
            self,
            {
                "NIST.800.53.R5-DynamoDBInBackupPlan": "Point-in-time recovery restores any second of the "
                "last 35 days, which is longer than a message lives; a backup plan would add nothing to it"
            },
        )
