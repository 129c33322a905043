"""The changes that would lose data: stateful resources removed, replaced, or left without their guards."""

from ops.assembly.model import Resource, Stack
from ops.gate.diff import Replacement, ResourceChange
from ops.gate.model import STACK_ITSELF, ChangeKind, Finding

# What holds something that a deployment cannot make again: data, messages, keys, logs, subscriptions, and
# addresses that others have put on their allow-lists.
STATEFUL_TYPES = frozenset(
    {
        "AWS::Backup::BackupVault",
        "AWS::CloudFormation::Stack",
        "AWS::Cognito::UserPool",
        "AWS::DocDB::DBCluster",
        "AWS::DynamoDB::GlobalTable",
        "AWS::DynamoDB::Table",
        "AWS::EC2::EIP",
        "AWS::EC2::Volume",
        "AWS::ECR::Repository",
        "AWS::EFS::AccessPoint",
        "AWS::EFS::FileSystem",
        "AWS::ElastiCache::CacheCluster",
        "AWS::ElastiCache::ReplicationGroup",
        "AWS::ElastiCache::ServerlessCache",
        "AWS::Events::Archive",
        "AWS::Events::EventBus",
        "AWS::FSx::FileSystem",
        "AWS::Glue::Database",
        "AWS::Glue::Table",
        "AWS::KMS::Key",
        "AWS::KMS::ReplicaKey",
        "AWS::Kinesis::Stream",
        "AWS::Logs::LogGroup",
        "AWS::MSK::Cluster",
        "AWS::Neptune::DBCluster",
        "AWS::OpenSearchService::Domain",
        "AWS::RDS::DBCluster",
        "AWS::RDS::DBInstance",
        "AWS::Redshift::Cluster",
        "AWS::Route53::HostedZone",
        "AWS::S3::Bucket",
        "AWS::S3Express::DirectoryBucket",
        "AWS::S3Tables::Table",
        "AWS::S3Tables::TableBucket",
        "AWS::SNS::Topic",
        "AWS::SQS::Queue",
        "AWS::SecretsManager::Secret",
        "AWS::Timestream::Table",
    }
)
# What the CDK writes for a stack whose account or region is not given.
_UNKNOWN_TARGET = "unknown-"
# Properties whose change overwrites what operators or rotation have put there since.
_OVERWRITING = {"AWS::SecretsManager::Secret": ("GenerateSecretString", "SecretString")}
# From weakest to strongest; an absent policy is Delete. RetainExceptOnCreate lets only a failed creation
# clean up after itself: what has ever held anything is kept.
_KEEPS = {None: 0, "Delete": 0, "Snapshot": 1, "RetainExceptOnCreate": 2, "Retain": 2}


def stateful_findings(
    before: Stack, after: Stack | None, changes: list[ResourceChange], added: dict[str, list[str]]
) -> list[Finding]:
    """`added` maps a type to where the change creates new ones of it ("Stack/LogicalId"), for a hint."""
    findings = []
    for change in changes:
        was = change.before
        if was is not None and was.type in STATEFUL_TYPES:
            findings += _about(before, change, was, added.get(was.type, []))
    if after is not None and before.termination_protection and not after.termination_protection:
        findings.append(
            Finding(
                environment=before.environment,
                stack=before.name,
                resource=STACK_ITSELF,
                resource_type="stack",
                kind=ChangeKind.PROTECTION_WEAKENED,
                text="termination protection is switched off: the whole stack can be deleted by one call",
            )
        )
    return findings


def moved_stack_findings(before: Stack, after: Stack) -> list[Finding]:
    """A stack of another name, account or region is another stack: what the old one holds stays behind."""
    known = _UNKNOWN_TARGET not in before.target + after.target
    if before.stack_name != after.stack_name:
        why = f"its stack is renamed from {before.stack_name} to {after.stack_name}"
    elif before.target != after.target and known:
        why = f"its stack moves from {before.target} to {after.target}"
    else:
        return []
    held = before.of_type(*STATEFUL_TYPES)
    if not held:
        text = f"{why.replace('its stack', 'it')}: the old one goes on beside it, and nothing updates it"
        return [
            Finding(
                environment=after.environment,
                stack=after.name,
                resource=STACK_ITSELF,
                resource_type="stack",
                kind=ChangeKind.STATEFUL_REMOVED,
                text=text,
            )
        ]
    return [
        Finding(
            environment=after.environment,
            stack=after.name,
            resource=resource.logical_id,
            resource_type=resource.type,
            kind=ChangeKind.STATEFUL_REMOVED,
            text=f"{why}: a second, empty one is made, and what this one holds stays behind",
        )
        for resource in sorted(held, key=lambda resource: resource.logical_id)
    ]


def _about(stack: Stack, change: ResourceChange, was: Resource, candidates: list[str]) -> list[Finding]:
    def finding(kind: ChangeKind, text: str, *details: str) -> Finding:
        return Finding(
            environment=stack.environment,
            stack=stack.name,
            resource=was.logical_id,
            resource_type=was.type,
            kind=kind,
            text=text,
            details=details,
        )

    now = change.after
    if now is None or now.type != was.type:
        return [finding(ChangeKind.STATEFUL_REMOVED, _removal(was), *_moved(candidates))]
    findings = []
    if change.replacement:
        sure = "is replaced" if change.replacement is Replacement.YES else "may be replaced"
        findings.append(
            finding(
                ChangeKind.STATEFUL_REPLACED,
                f"{sure}: a new, empty one takes its place and the old one is "
                f"{_fate(was.update_replace_policy)}",
                *(f"because of {reason}" for reason in change.because),
                *change.properties,
            )
        )
    findings += [
        finding(
            ChangeKind.STATEFUL_REPLACED,
            f"{name} changes: its present value is overwritten",
            *change.properties,
        )
        for name in _OVERWRITING.get(was.type, ())
        if name in now.properties and was.properties.get(name) != now.properties[name]
    ]
    if was.condition != now.condition:
        findings.append(
            finding(
                ChangeKind.STATEFUL_REMOVED,
                f"its Condition changes, {was.condition} → {now.condition}: where that is false it goes",
            )
        )
    for name, old, new in (
        ("DeletionPolicy", was.deletion_policy, now.deletion_policy),
        ("UpdateReplacePolicy", was.update_replace_policy, now.update_replace_policy),
    ):
        if _KEEPS.get(new, 0) < _KEEPS.get(old, 0):
            findings.append(
                finding(
                    ChangeKind.PROTECTION_WEAKENED, f"{name} is weakened: {old} → {new or 'absent (Delete)'}"
                )
            )
    return findings


def _removal(was: Resource) -> str:
    if _KEEPS.get(was.deletion_policy, 0) >= _KEEPS["RetainExceptOnCreate"]:
        return "is removed from the stack: it stays in the account, owned by nobody, and its name stays taken"
    return f"is removed: what it holds is {_fate(was.deletion_policy)}"


def _fate(policy: str | None) -> str:
    return {"Retain": "kept, outside the stack", "RetainExceptOnCreate": "kept, outside the stack"}.get(
        policy or "", "kept as a snapshot" if policy == "Snapshot" else "deleted"
    )


def _moved(candidates: list[str]) -> list[str]:
    return [
        f"{place} is new and of the same type: if this is a move or a new logical id, the content does not"
        " follow; keep the logical id (overrideLogicalId) or refactor the stack first (cdk refactor)"
        for place in candidates[:3]
    ]
