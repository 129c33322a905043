"""Create an environment's stacks on the local server, as `cdk deploy --method direct` would in an account."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from local.assembly import Environment
from ops.assembly.model import Stack

# CloudFormation takes larger templates only from S3.
_LARGEST_INLINE_TEMPLATE = 51_200
_TEMPLATE_BUCKET = "local-templates"
# Metadata for the CDK team and nothing that runs.
_NOT_RESOURCES = {"AWS::CDK::Metadata"}


@dataclass
class Deployment:
    """The result of a deployment: outputs by key, and a line for each resource that was not made."""

    outputs: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def deploy(environment: Environment, client: Callable[[str], Any], *, endpoint_url: str) -> Deployment:
    """Create every stack in order; what the server does not know is listed in `left_out`.

    Raises RuntimeError that names the stack that was not created.
    """
    _bootstrap(client)
    for stack in environment.stacks:
        _create(stack, client, endpoint_url)
    return describe(environment, client)


def describe(environment: Environment, client: Callable[[str], Any]) -> Deployment:
    """The result of the stacks, however deployed. Raises RuntimeError for one that is not whole."""
    deployment = Deployment()
    for stack in environment.stacks:
        _describe(stack, client("cloudformation"), deployment)
    return deployment


def _bootstrap(client: Callable[[str], Any]) -> None:
    # What `cdk bootstrap` leaves in an account and every template asks for.
    client("ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String")


def _create(stack: Stack, client: Callable[[str], Any], endpoint_url: str) -> None:
    body = json.dumps(stack.template)
    where = {"TemplateBody": body}
    if len(body) > _LARGEST_INLINE_TEMPLATE:
        s3 = client("s3")
        region = s3.meta.region_name
        s3.create_bucket(Bucket=_TEMPLATE_BUCKET, CreateBucketConfiguration={"LocationConstraint": region})
        s3.put_object(Bucket=_TEMPLATE_BUCKET, Key=stack.artifact, Body=body.encode())
        where = {"TemplateURL": f"{endpoint_url}/{_TEMPLATE_BUCKET}/{stack.artifact}"}
    try:
        client("cloudformation").create_stack(
            StackName=stack.stack_name,
            Capabilities=["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            **where,
        )
    except Exception as error:
        raise RuntimeError(
            f"stack {stack.stack_name} could not be created on the local server: {error}"
        ) from error


def _describe(stack: Stack, cloudformation: Any, deployment: Deployment) -> None:
    name = stack.stack_name
    described = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    if described["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise RuntimeError(f"stack {name} is {described['StackStatus']} on the local server")
    for output in described.get("Outputs", ()):
        if not output["OutputKey"].startswith("ExportsOutput"):
            deployment.outputs[output["OutputKey"]] = output["OutputValue"]
    made = set()
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=name):
        for resource in page["StackResourceSummaries"]:
            made.add(resource["LogicalResourceId"])
    for logical_id, resource in stack.template["Resources"].items():
        if logical_id not in made and resource["Type"] not in _NOT_RESOURCES:
            deployment.left_out.append(f"{name}/{logical_id}: {resource['Type']} is not known to moto")
