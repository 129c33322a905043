"""The guards of a table: recovery, expiry, indexes, streams, keys and throughput."""

from math import inf

from ops.gate.rules.guard import Guard
from ops.gate.rules.values import altered, different, lowered, removed, switched_on

_TABLE, _GLOBAL = "AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"

_BOTH = tuple(
    guard
    for type_ in (_TABLE, _GLOBAL)
    for guard in (
        Guard(
            type=type_,
            path=r"(.+\.)?PointInTimeRecoverySpecification\.RecoveryPeriodInDays",
            weaker=lowered(35),
            text="is shortened: older states cannot be restored",
        ),
        Guard(
            type=type_,
            path="TimeToLiveSpecification.Enabled",
            weaker=switched_on,
            text="is switched on: items that carry the attribute are deleted",
        ),
        Guard(
            type=type_,
            path="TimeToLiveSpecification.AttributeName",
            weaker=lambda was, now: now is not None and different(was, now),
            text="names another attribute: other items are deleted, at other times",
        ),
        Guard(
            type=type_,
            path=r"GlobalSecondaryIndexes\.[^.]+",
            weaker=removed,
            text="is removed: the index is deleted, and queries on it fail",
        ),
        Guard(
            type=type_,
            path=r"GlobalSecondaryIndexes\.[^.]+\.(KeySchema|Projection)\..+",
            weaker=altered,
            text="changes: the index is deleted and built anew",
        ),
        Guard(
            type=type_,
            path=r"AttributeDefinitions\.[^.]+\.AttributeType",
            weaker=lambda was, now: now is not None and altered(was, now),
            text="changes: what is keyed by it, table or index, is replaced by an empty one",
        ),
        Guard(
            type=type_,
            path="SSESpecification.SSEType",
            weaker=altered,
            text="changes: the table is encrypted by other means",
        ),
        Guard(
            type=type_,
            path="StreamSpecification.StreamViewType",
            weaker=altered,
            text="changes: another stream takes its place, and what was not read yet is lost",
        ),
        Guard(
            type=type_,
            path=r"(.+\.)?KinesisStreamSpecification\.StreamArn",
            weaker=altered,
            text="changes: what the table's changes are read from is another stream",
        ),
        Guard(
            type=type_,
            path="BillingMode",
            weaker=lambda was, now: (was or "PROVISIONED") == "PAY_PER_REQUEST" != (now or "PROVISIONED"),
            text="is no longer on demand: writes beyond what is provisioned are refused",
        ),
        Guard(
            type=type_,
            path=r"(.+\.)?(ProvisionedThroughput|OnDemandThroughput)\.\w+|(.+\.)?Max(Read|Write)RequestUnits",
            weaker=lowered(inf),
            text="is lowered: requests beyond it are refused",
        ),
    )
)
TABLE_GUARDS = (
    *_BOTH,
    Guard(
        type=_GLOBAL,
        path=r"Replicas\.[^.]+",
        weaker=removed,
        text="is removed: that copy is deleted",
    ),
)
