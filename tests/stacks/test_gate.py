"""The gate on the stacks as they are: one change to prod's real templates, and it is blocked."""

from dataclasses import replace

import pytest

from ops.assembly.load import load_assembly
from ops.gate.compare import compare


@pytest.fixture(scope="module")
def prod(assembly):
    return {key: stack for key, stack in load_assembly(assembly).items() if key[0] == "prod"}


def altered(stack, type_, **properties):
    """The stack with properties of its first resource of a type set, or (None) taken away."""
    resource = stack.of_type(type_)[0]
    kept = {key: value for key, value in (resource.properties | properties).items() if value is not None}
    return replace(
        stack, resources=stack.resources | {resource.logical_id: replace(resource, properties=kept)}
    )


def without(stack, type_):
    gone = stack.of_type(type_)[0].logical_id
    return replace(stack, resources={name: body for name, body in stack.resources.items() if name != gone})


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("storage", lambda stack: replace(stack, stack_name="prod-storage-2")),
        ("storage", lambda stack: replace(stack, termination_protection=False)),
        ("storage", lambda stack: altered(stack, "AWS::S3::Bucket", OwnershipControls=None)),
        ("storage", lambda stack: altered(stack, "AWS::S3::Bucket", LifecycleConfiguration={"Rules": [
            {"Status": "Enabled", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3}}]})),
        ("storage", lambda stack: altered(stack, "AWS::DynamoDB::Table", SSESpecification=None)),
        ("storage", lambda stack: altered(stack, "AWS::DynamoDB::Table", TimeToLiveSpecification={
            "AttributeName": "updated_at", "Enabled": True})),
        ("storage", lambda stack: altered(stack, "AWS::KMS::Key", KeyPolicy=None)),
        ("storage", lambda stack: without(stack, "AWS::SecretsManager::Secret")),
        ("network", lambda stack: without(stack, "AWS::EC2::FlowLog")),
        ("network", lambda stack: altered(stack, "AWS::EC2::VPCEndpoint", PolicyDocument=None)),
        ("messaging", lambda stack: altered(stack, "AWS::SQS::Queue", RedriveAllowPolicy=None)),
        ("messaging", lambda stack: altered(stack, "AWS::SQS::Queue", MessageRetentionPeriod=3600)),
        ("worker", lambda stack: altered(stack, "AWS::ECS::TaskDefinition", TaskRoleArn="admin")),
        ("worker", lambda stack: altered(stack, "AWS::ECS::Service", EnableExecuteCommand=True)),
        ("worker", lambda stack: without(stack, "AWS::ApplicationAutoScaling::ScalingPolicy")),
        ("observability", lambda stack: without(stack, "AWS::CloudWatch::Alarm")),
        ("observability", lambda stack: without(stack, "AWS::SNS::Subscription")),
    ],
)  # fmt: skip
def test_a_dangerous_change_of_ours_is_blocked(prod, name, change):
    stack = prod["prod", name]
    findings = compare(prod, {**prod, stack.key: change(stack)})
    assert [finding for finding in findings if finding.kind.blocks]


def test_the_stacks_as_they_are_are_no_change(prod):
    assert compare(prod, prod) == []
