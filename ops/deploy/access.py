"""A second opinion on policies: IAM Access Analyzer's CheckNoNewAccess, deployed against synthesized.

The gate compares policies by covering statements and needs no account; Access Analyzer reasons about what
they allow. Its answer is for whoever approves the plan: a broadening that was waived shows here again.
https://docs.aws.amazon.com/access-analyzer/latest/APIReference/API_CheckNoNewAccess.html
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import boto3

from ops.assembly.load import resources_of
from ops.assembly.model import Json, Resource, Stack
from ops.assembly.tokens import references

_RESOURCE_POLICIES = {
    "AWS::EC2::VPCEndpoint": "PolicyDocument",
    "AWS::IAM::Role": "AssumeRolePolicyDocument",
    "AWS::KMS::Key": "KeyPolicy",
    "AWS::S3::BucketPolicy": "PolicyDocument",
    "AWS::SNS::TopicPolicy": "PolicyDocument",
    "AWS::SQS::QueuePolicy": "PolicyDocument",
    "AWS::SecretsManager::ResourcePolicy": "PolicyDocument",
}
# Policies by (logical id, Access Analyzer's policy type).
Policies = dict[tuple[str, str], Json]


def access_report(stacks: Sequence[Stack], clients: Any = boto3) -> list[str]:
    """A line for each policy that allows something new against the account; at least one line."""
    lines = [line for stack in stacks for line in _stack_report(stack, clients)]
    return lines or ["Access Analyzer: no policy of an existing stack allows anything new"]


def _stack_report(stack: Stack, clients: Any) -> Iterator[str]:
    cloudformation = clients.client("cloudformation", region_name=stack.region)
    body = cloudformation.get_template(StackName=stack.stack_name)["TemplateBody"]
    deployed = policies(stack, resources_of(json.loads(body) if isinstance(body, str) else body))
    analyzer = clients.client("accessanalyzer", region_name=stack.region)
    synthesized = policies(stack, resources_of(stack.template))
    for (subject, kind), document in sorted(synthesized.items()):
        where = f"{stack.environment}/{stack.name}/{subject}"
        before = deployed.get((subject, kind))
        if before is None:
            yield f"{where}: a new policy, with nothing to compare it with"
        elif before != document:
            answer = analyzer.check_no_new_access(
                existingPolicyDocument=json.dumps(before),
                newPolicyDocument=json.dumps(document),
                policyType=kind,
            )
            if answer["result"] != "PASS":
                reasons = [reason.get("description", "") for reason in answer.get("reasons", [])]
                yield f"{where}: {answer.get('message', 'new access')}: {'; '.join(reasons)}"


def policies(stack: Stack, resources: dict[str, Resource]) -> Policies:
    """Every policy of a template, with plausible ARNs for what only a deployment knows."""
    statements: dict[tuple[str, str], list[Any]] = {}
    for resource in resources.values():
        name = _RESOURCE_POLICIES.get(resource.type)
        if name in resource.properties:
            statements.setdefault((resource.logical_id, "RESOURCE_POLICY"), []).extend(
                _listed(resource.properties[name])
            )
        for holder, document in _identity_documents(resource):
            statements.setdefault((holder, "IDENTITY_POLICY"), []).extend(_listed(document))
    return {
        key: {"Version": "2012-10-17", "Statement": _known(listed, stack, resources)}
        for key, listed in statements.items()
    }


def _identity_documents(resource: Resource) -> Iterator[tuple[str, Any]]:
    if resource.type == "AWS::IAM::Role":
        for policy in resource.properties.get("Policies", []):
            yield resource.logical_id, policy["PolicyDocument"]
    elif resource.type in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        for role in resource.properties.get("Roles", []):
            for holder in references(role):
                yield holder, resource.properties["PolicyDocument"]


def _listed(document: Json) -> list[Any]:
    listed = document["Statement"]
    return listed if isinstance(listed, list) else [listed]


def _known(value: Any, stack: Stack, resources: dict[str, Resource]) -> Any:
    """The value with every intrinsic replaced by text of the right form, the same on both sides."""
    match value:
        case {"Fn::Join": [str(separator), list(parts)]}:
            return separator.join(str(_known(part, stack, resources)) for part in parts)
        case {"Ref": str(name)} if name.startswith("AWS::"):
            return _pseudo(name, stack)
        case {"Ref": str(name)}:
            return _arn(name, stack, resources) if name not in resources else name.lower()
        case {"Fn::GetAtt": [str(name), *_]} | {"Fn::ImportValue": str(name)}:
            return _arn(name, stack, resources)
        case dict():
            return {key: _known(item, stack, resources) for key, item in value.items()}
        case list():
            return [_known(item, stack, resources) for item in value]
    return value


def _pseudo(name: str, stack: Stack) -> str:
    known = {"AWS::AccountId": stack.account, "AWS::Region": stack.region, "AWS::Partition": "aws"}
    return known.get(name, name.rpartition("::")[2].lower())


def _arn(name: str, stack: Stack, resources: dict[str, Resource]) -> str:
    owner, _, bare = name.rpartition("/")
    kind = resources[name].type if name in resources else ""
    plain = f"{owner}-{bare}".strip("-").replace(":", "-")
    if kind == "AWS::S3::Bucket" or (not kind and "bucket" in bare.lower()):
        return f"arn:aws:s3:::{plain.lower()}"
    if kind == "AWS::IAM::Role":
        return f"arn:aws:iam::{stack.account}:role/{plain}"
    service = kind.split("::")[1].lower() if kind else "imported"
    return f"arn:aws:{service}:{stack.region}:{stack.account}:{plain}"
