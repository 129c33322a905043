"""How a stack stands in the account: new, standing, under way, or in a state that must be mended first."""

from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from ops.assembly.model import Stack

# Made by a change set that was never executed, or by a first creation that failed: the CDK starts anew.
_AS_GOOD_AS_NEW = ("REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "DELETE_COMPLETE")
_TO_MEND = {
    "CREATE_FAILED": "delete the stack, then deploy again",
    "DELETE_FAILED": "delete the stack again, keeping what cannot go (--retain-resources)",
    "ROLLBACK_FAILED": "delete the stack, then deploy again",
    "UPDATE_ROLLBACK_FAILED": "aws cloudformation continue-update-rollback, then deploy again",
}


@dataclass(frozen=True)
class Standing:
    """A stack and its status; no status when the account has no such stack."""

    stack: Stack
    status: str | None

    @property
    def exists(self) -> bool:
        return self.status is not None and self.status not in _AS_GOOD_AS_NEW

    @property
    def blocks(self) -> bool:
        """A deployment would fail, or fall into another one."""
        return self.exists and (self.status in _TO_MEND or (self.status or "").endswith("_IN_PROGRESS"))

    def __str__(self) -> str:
        status = self.status or "does not exist yet"
        if not self.exists:
            what = "new: nothing to compare with"
        elif self.blocks:
            what = _TO_MEND.get(status, "another deployment is under way: wait for it")
        else:
            what = "stands"
        return f"{self.stack.environment}/{self.stack.name} ({self.stack.stack_name}): {status}; {what}"


def standing(stack: Stack, client: Any = None) -> Standing:
    """Ask CloudFormation. Raises ClientError but for a stack that does not exist."""
    client = client or boto3.client("cloudformation", region_name=stack.region)
    try:
        found = client.describe_stacks(StackName=stack.stack_name)["Stacks"]
    except ClientError as error:
        # CloudFormation has no code of its own for it.
        if error.response["Error"]["Code"] == "ValidationError" and "does not exist" in str(error):
            return Standing(stack, None)
        raise
    return Standing(stack, found[0]["StackStatus"])
