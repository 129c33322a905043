"""Single properties that guard data or keep the public out, and whether a change loosens one.

Each guard turns a property's value into a strength; a smaller strength after the change than before is a
finding. An exposure guard also judges new resources, as if they had been fully closed before.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from typing import Any

from ops.assembly.model import Json, Stack
from ops.assembly.tokens import text_of
from ops.gate.diff import ResourceChange
from ops.gate.model import Finding, Kind

Strength = Callable[[list[Any]], float]


def _on(values: list[Any]) -> float:
    """Strong when every value says on; an absent one or an unknown intrinsic is off."""
    return float(bool(values) and all(str(value).lower() in ("true", "enabled") for value in values))


def _off_unless_on(values: list[Any]) -> float:
    """Strong when no value says on (or holds something unknown)."""
    return float(all(str(value).lower() in ("false", "disabled", "none") for value in values))


def _on_unless_off(values: list[Any]) -> float:
    return float(all(str(value).lower() != "false" for value in values))


def _present(values: list[Any]) -> float:
    return float(bool(values))


def _absent(values: list[Any]) -> float:
    return float(not values)


def _least(when_absent: float) -> Strength:
    """The smallest number; an intrinsic counts as zero, because nobody can tell."""

    def strength(values: list[Any]) -> float:
        return min((_number(value) for value in values), default=when_absent)

    return strength


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0


def _among(*closed: str, when_absent: float = 1) -> Strength:
    def strength(values: list[Any]) -> float:
        return min((float(text_of(value) in closed) for value in values), default=when_absent)

    return strength


@dataclass(frozen=True)
class Guard:
    """`path` is dotted, `*` for every list item. `text` continues "«path» …"."""

    type: str
    path: str
    strength: Strength
    text: str


PROTECTIONS = (
    Guard("AWS::DynamoDB::Table", "DeletionProtectionEnabled", _on, "is switched off"),
    Guard(
        "AWS::DynamoDB::Table",
        "PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled",
        _on,
        "is switched off",
    ),
    Guard("AWS::DynamoDB::Table", "SSESpecification.SSEEnabled", _on, "is switched off"),
    Guard(
        "AWS::DynamoDB::GlobalTable", "Replicas.*.Region", lambda found: float(len(found)), "loses a replica"
    ),
    Guard("AWS::DynamoDB::GlobalTable", "Replicas.*.DeletionProtectionEnabled", _on, "is switched off"),
    Guard(
        "AWS::DynamoDB::GlobalTable",
        "Replicas.*.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled",
        _on,
        "is switched off",
    ),
    Guard("AWS::S3::Bucket", "VersioningConfiguration.Status", _on, "is no longer Enabled"),
    Guard("AWS::S3::Bucket", "ObjectLockEnabled", _on, "is switched off"),
    Guard("AWS::S3::Bucket", "BucketEncryption", _present, "is removed"),
    Guard(
        "AWS::S3::Bucket",
        "LifecycleConfiguration.Rules.*.ExpirationInDays",
        _least(inf),
        "deletes objects earlier",
    ),
    Guard(
        "AWS::S3::Bucket",
        "LifecycleConfiguration.Rules.*.NoncurrentVersionExpiration.NoncurrentDays",
        _least(inf),
        "deletes old versions earlier",
    ),
    Guard(
        "AWS::SQS::Queue", "MessageRetentionPeriod", _least(345600), "is shortened: messages expire earlier"
    ),
    Guard(
        "AWS::SQS::Queue", "RedrivePolicy", _present, "is removed: failing messages are dropped in the end"
    ),
    Guard("AWS::SQS::Queue", "SqsManagedSseEnabled", _on_unless_off, "is switched off"),
    Guard("AWS::SNS::Topic", "KmsMasterKeyId", _present, "is removed"),
    Guard("AWS::Logs::LogGroup", "RetentionInDays", _least(inf), "is shortened: older logs are deleted"),
    Guard("AWS::KMS::Key", "EnableKeyRotation", _on, "is switched off"),
    Guard("AWS::KMS::Key", "PendingWindowInDays", _least(30), "is shortened"),
    Guard("AWS::KMS::Key", "Enabled", _on_unless_off, "is switched off: what it encrypts cannot be read"),
    Guard("AWS::RDS::DBInstance", "DeletionProtection", _on, "is switched off"),
    Guard("AWS::RDS::DBCluster", "DeletionProtection", _on, "is switched off"),
    Guard("AWS::EC2::FlowLog", "TrafficType", _among("ALL"), "no longer records all traffic"),
    Guard(
        "AWS::ECS::TaskDefinition",
        "ContainerDefinitions.*.ReadonlyRootFilesystem",
        _on,
        "is no longer true for every container",
    ),
    Guard("AWS::ECS::TaskDefinition", "ContainerDefinitions.*.Privileged", _off_unless_on, "is switched on"),
)

EXPOSURES = (
    *(
        Guard(
            "AWS::S3::Bucket",
            f"PublicAccessBlockConfiguration.{flag}",
            _on,
            "is not true: it can be made public",
        )
        for flag in ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    ),
    Guard(
        "AWS::S3::Bucket",
        "AccessControl",
        _among("Private", "BucketOwnerFullControl", "BucketOwnerRead", "LogDeliveryWrite"),
        "is a public canned ACL",
    ),
    Guard("AWS::S3::Bucket", "WebsiteConfiguration", _absent, "serves the bucket as a website"),
    Guard("AWS::EC2::Subnet", "MapPublicIpOnLaunch", _off_unless_on, "gives public addresses by default"),
    Guard(
        "AWS::ECS::Service",
        "NetworkConfiguration.AwsvpcConfiguration.AssignPublicIp",
        _off_unless_on,
        "gives tasks public addresses",
    ),
    Guard("AWS::ECS::Service", "EnableExecuteCommand", _off_unless_on, "opens a shell into the tasks"),
    Guard(
        "AWS::ECS::TaskSet",
        "NetworkConfiguration.AwsVpcConfiguration.AssignPublicIp",
        _off_unless_on,
        "gives tasks public addresses",
    ),
    Guard(
        "AWS::EC2::Instance",
        "NetworkInterfaces.*.AssociatePublicIpAddress",
        _off_unless_on,
        "gives a public address",
    ),
    Guard("AWS::EC2::VPCGatewayAttachment", "InternetGatewayId", _absent, "attaches an internet gateway"),
    Guard("AWS::EC2::VPCPeeringConnection", "PeerVpcId", _absent, "joins another VPC"),
    Guard("AWS::EC2::TransitGatewayAttachment", "TransitGatewayId", _absent, "joins a transit gateway"),
    Guard(
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "Scheme",
        _among("internal", when_absent=0),
        "is not internal: it faces the internet",
    ),
    Guard("AWS::RDS::DBInstance", "PubliclyAccessible", _off_unless_on, "makes it publicly accessible"),
    Guard("AWS::Lambda::Url", "AuthType", _among("AWS_IAM", when_absent=0), "lets anyone call it"),
)


def protection_findings(stack: Stack, changes: list[ResourceChange]) -> list[Finding]:
    """Guards of data that are weaker after the change; new resources have nothing to lose."""
    return [
        _finding(stack, change, guard, Kind.PROTECTION_WEAKENED)
        for change, guard in _guarded(changes, PROTECTIONS)
        if change.before is not None
        and _strength(guard, change.after.properties) < _strength(guard, change.before.properties)  # type: ignore[union-attr]
    ]


def exposure_findings(stack: Stack, changes: list[ResourceChange]) -> list[Finding]:
    """Guards against the public that are looser after the change, or open on a new resource."""
    return [
        _finding(stack, change, guard, Kind.PUBLIC_ACCESS)
        for change, guard in _guarded(changes, EXPOSURES)
        if _strength(guard, change.after.properties)  # type: ignore[union-attr]
        < (_strength(guard, change.before.properties) if change.before else 1)
    ]


def _guarded(
    changes: list[ResourceChange], guards: tuple[Guard, ...]
) -> Iterator[tuple[ResourceChange, Guard]]:
    for change in changes:
        if change.after is None:
            continue
        for guard in guards:
            if guard.type == change.after.type:
                yield change, guard


def _finding(stack: Stack, change: ResourceChange, guard: Guard, kind: Kind) -> Finding:
    resource = change.resource
    field = guard.path.split(".", maxsplit=1)[0]
    details = tuple(line for line in change.properties if line.startswith(field))
    return Finding(
        *stack.key, resource.logical_id, resource.type, kind, f"{guard.path} {guard.text}", details
    )


def _strength(guard: Guard, properties: Json) -> float:
    return guard.strength(list(_values(properties, guard.path.split("."))))


def _values(value: Any, path: list[str]) -> Iterator[Any]:
    if not path:
        yield value
    elif isinstance(value, dict):
        if path[0] in value:
            yield from _values(value[path[0]], path[1:])
        elif any(key.startswith("Fn::") or key == "Ref" for key in value):
            yield value
    elif isinstance(value, list) and path[0] == "*":
        for item in value:
            yield from _values(item, path[1:])
