"""A role that one AWS service takes on, for this account's own resources and nobody else's."""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct


class ServiceRole(iam.Role):
    """Builds:

    - a role without permissions, which `service` (`ecs-tasks`, `vpc-flow-logs`) may assume.

    Only on behalf of this account's resources that `source` names, as the service and the resource part of an
    ARN: otherwise another account could have the service use the role for it, the confused deputy.
    """

    def __init__(self, scope: Construct, id_: str, *, service: str, source: tuple[str, str]) -> None:
        stack = cdk.Stack.of(scope)
        owner, resources = source
        arn = f"arn:{stack.partition}:{owner}:{stack.region}:{stack.account}:{resources}"
        super().__init__(
            scope,
            id_,
            assumed_by=iam.ServicePrincipal(
                f"{service}.amazonaws.com",
                conditions={
                    "StringEquals": {"aws:SourceAccount": stack.account},
                    "ArnLike": {"aws:SourceArn": arn},
                },
            ),
        )
