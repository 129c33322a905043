"""Small stacks as the assembly's reader gives them."""

from typing import Any

from ops.assembly.load import resources_of
from ops.assembly.model import Stack

ACCOUNT, REGION = "123456789012", "eu-west-1"


def stack(name: str, resources: dict[str, Any], *, environment: str = "prod", **template: Any) -> Stack:
    document = {"Resources": resources} | template
    return Stack(
        environment=environment,
        name=name,
        stack_name=f"{environment}-{name}",
        artifact=f"{environment}{name}",
        dependencies=(),
        target=f"aws://{ACCOUNT}/{REGION}",
        termination_protection=True,
        resources=resources_of(document),
        template=document,
    )


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties}
