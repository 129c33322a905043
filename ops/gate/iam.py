"""Who may do what: gathers every policy of a stack by its subject and reports what a change broadens.

A subject is what the statements are about: the grants of one role (its inline and attached policies
together, so that moving a statement between policies is no change), its trust policy, or the policy of one
bucket, queue, key, endpoint and so on. Policies of types that the gate has never heard of are found by their
shape.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ops.assembly.model import Resource, Stack
from ops.assembly.tokens import references, text_of, texts_of
from ops.gate.diff import difference
from ops.gate.model import ChangeKind, Finding
from ops.gate.rules.comparison import Comparison
from ops.gate.rules.guard import Guard, guarded
from ops.gate.rules.values import nodes, raised
from ops.gate.statements import Statement, broadenings, opaque, parse_statements

_IDENTITIES = {"AWS::IAM::Role": "Roles", "AWS::IAM::User": "Users", "AWS::IAM::Group": "Groups"}
_ATTACHED_POLICIES = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
_NAMED_POLICIES = {
    "AWS::IAM::RolePolicy": "RoleName",
    "AWS::IAM::UserPolicy": "UserName",
    "AWS::IAM::GroupPolicy": "GroupName",
}
# Resource policies that are resources of their own, and the property that names what they are about.
_POLICY_OF = {
    "AWS::S3::BucketPolicy": "Bucket",
    "AWS::SQS::QueuePolicy": "Queues",
    "AWS::SNS::TopicPolicy": "Topics",
    "AWS::SecretsManager::ResourcePolicy": "SecretId",
    "AWS::Lambda::Permission": "FunctionName",
    "AWS::Lambda::LayerVersionPermission": "LayerVersionArn",
    "AWS::Events::EventBusPolicy": "EventBusName",
}
# Those whose one statement is spread over the properties.
_FLAT = frozenset(
    {"AWS::Lambda::Permission", "AWS::Lambda::LayerVersionPermission", "AWS::Events::EventBusPolicy"}
)
_ROLE = re.compile(r"(\w*Role(Arn|ARN)?|IamInstanceProfile|CredentialsArn)")
_IDENTITY_SOURCES = {
    "AWS::IAM::AccessKey": "a key that never expires",
    "AWS::IAM::OIDCProvider": "who logs in there may assume roles here",
    "AWS::IAM::SAMLProvider": "who logs in there may assume roles here",
    "AWS::IAM::User": "a user with credentials of its own",
    "AWS::IAM::UserToGroupAddition": "users may do what the group may",
    "AWS::SSO::Assignment": "people may act in the account with that permission set",
    "AWS::SSO::PermissionSet": "people may act in the account with it",
    "AWS::RolesAnywhere::TrustAnchor": "whoever holds a certificate of it may assume roles here",
}
_GUARDS = (
    Guard(
        type="AWS::IAM::Role",
        path="MaxSessionDuration",
        weaker=raised(3_600),
        text="is longer: stolen credentials last longer",
        kind=ChangeKind.IAM_BROADENED,
    ),
)
_EVERYTHING = {"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}}


@dataclass
class Subject:
    """Every statement about one thing, and the resource of this stack that a finding should name."""

    resource: Resource
    about: str
    logical_ids: frozenset[str]
    statements: list[Statement] = field(default_factory=list)


def iam_findings(before: Stack | None, after: Stack) -> list[Finding]:
    """The rights that the stack's policies allow and did not allow before (none, for a new stack)."""
    old = _subjects(before) if before else {}
    new = _subjects(after)
    findings = []
    for key in sorted(old.keys() | new.keys()):
        subject = new.get(key) or old[key]
        if key not in new and not subject.logical_ids <= after.resources.keys():
            continue  # What the policy was about is gone too.
        if key not in old and _open_by_default(subject.resource):
            continue  # A new endpoint without a policy opens nothing that existed.
        was = old[key].statements if key in old else []
        wider = broadenings(was, new[key].statements if key in new else [])
        if wider:
            findings.append(
                Finding(
                    environment=after.environment,
                    stack=after.name,
                    resource=subject.resource.logical_id,
                    resource_type=subject.resource.type,
                    kind=ChangeKind.IAM_BROADENED,
                    text=f"{subject.about}: more is allowed than before",
                    details=tuple(wider),
                )
            )
    return findings


def role_findings(comparison: Comparison) -> Iterator[Finding]:
    """Resources that act as another role than before, and new ways to be somebody at all."""
    for before, after in comparison.kept():
        old = dict(nodes(before.properties))
        for path, value in nodes(after.properties):
            name = path.rpartition(".")[2]
            if _ROLE.fullmatch(name) and path in old and text_of(old[path]) != text_of(value):
                yield comparison.finding(
                    after,
                    ChangeKind.IAM_BROADENED,
                    f"{path} is another role: it may do what that role may",
                    f"{path}: {difference(old[path], value)}",
                )
    for resource in comparison.new(*_IDENTITY_SOURCES):
        yield comparison.finding(
            resource, ChangeKind.IAM_BROADENED, f"is new: {_IDENTITY_SOURCES[resource.type]}"
        )
    for before, after in comparison.kept(*_IDENTITY_SOURCES):
        if before.properties != after.properties:
            yield comparison.finding(
                after, ChangeKind.IAM_BROADENED, f"changes: {_IDENTITY_SOURCES[after.type]}"
            )
    yield from guarded(comparison, _GUARDS)


def _subjects(stack: Stack) -> dict[str, Subject]:
    subjects: dict[str, Subject] = {}
    for resource in stack.resources.values():
        for about, name, statements in _policies(resource):
            ids = frozenset(stack.resources.keys() & set(references(name))) or frozenset(
                {resource.logical_id}
            )
            named = stack.resources[min(ids)]
            key = f"{about} {text_of(name)}"
            subject = subjects.setdefault(key, Subject(named, about, ids))
            subject.statements += statements
    return subjects


def _policies(resource: Resource) -> Iterator[tuple[str, Any, list[Statement]]]:
    """(what the policy is, the value that names its subject, its statements) for each policy found."""
    properties, itself = resource.properties, {"Ref": resource.logical_id}
    if resource.type in _IDENTITIES:
        yield "the identity's policies", itself, _identity_statements(properties)
        if "AssumeRolePolicyDocument" in properties:
            yield "the trust policy", itself, parse_statements(properties["AssumeRolePolicyDocument"])
    elif resource.type in _ATTACHED_POLICIES:
        holders = [name for key in _IDENTITIES.values() for name in properties.get(key, [])]
        for holder in holders or [itself]:
            yield "the identity's policies", holder, parse_statements(properties.get("PolicyDocument"))
    elif resource.type in _NAMED_POLICIES:
        holder = properties.get(_NAMED_POLICIES[resource.type])
        yield "the identity's policies", holder, parse_statements(properties.get("PolicyDocument"))
    elif resource.type in _POLICY_OF:
        named = properties.get(_POLICY_OF[resource.type])
        statements = [s for _, document in _documents(properties, "") for s in parse_statements(document)]
        if resource.type in _FLAT:
            statements = statements or [_permission(properties, named)]
        for subject in named if isinstance(named, list) else [named]:
            yield "the resource policy", subject, statements
    else:
        if _open_by_default(resource):
            yield "the resource policy PolicyDocument", itself, parse_statements(_EVERYTHING)
        for path, document in _documents(properties, ""):
            yield f"the resource policy {path}".strip(), itself, parse_statements(document)


def _open_by_default(resource: Resource) -> bool:
    return resource.type == "AWS::EC2::VPCEndpoint" and "PolicyDocument" not in resource.properties


def _identity_statements(properties: dict[str, Any]) -> list[Statement]:
    statements = [
        statement
        for policy in properties.get("Policies", [])
        for statement in parse_statements(policy.get("PolicyDocument"))
    ]
    statements += [
        opaque("Allow", f"whatever the managed policy {arn} allows")
        for arn in texts_of(properties.get("ManagedPolicyArns"))
    ]
    if "PermissionsBoundary" in properties:
        boundary = text_of(properties["PermissionsBoundary"])
        statements.append(opaque("Deny", f"whatever the permissions boundary {boundary} does not allow"))
    return statements


def _permission(properties: dict[str, Any], subject: Any) -> Statement:
    equal = {
        "aws:SourceAccount": "SourceAccount",
        "aws:PrincipalOrgID": "PrincipalOrgID",
        "aws:PrincipalOrgId": "OrganizationId",
    }
    conditions = {
        "ArnLike": {"aws:SourceArn": properties["SourceArn"]} if "SourceArn" in properties else {},
        "StringEquals": {key: properties[name] for key, name in equal.items() if name in properties},
    }
    body = {
        "Effect": "Allow",
        "Principal": {"AWS": properties.get("Principal")},
        "Action": properties.get("Action"),
        "Resource": subject,
        "Condition": conditions,
    }
    if "Condition" in properties:
        conditions["condition"] = {"": properties["Condition"]}
    return parse_statements({"Statement": body})[0]


def _documents(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every policy document inside a resource's properties, by shape: an object with statements."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _documents(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        listed = value.get("Statement")
        statements = listed if isinstance(listed, list) else [listed]
        if any(isinstance(item, dict) and "Effect" in item for item in statements):
            yield path, value
        elif '"Statement"' in text_of(value) and value.keys() <= {"Fn::Join", "Fn::Sub"}:
            yield path, _from_json(text_of(value))
        else:
            for key, item in value.items():
                yield from _documents(item, f"{path}.{key}" if path else key)
    elif isinstance(value, str) and '"Statement"' in value:
        yield path, _from_json(value)


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
