"""From recorded calls to the permissions they need: `python -m tests.recorder.collect`.

Reads what the tasks of the last end-to-end run called and writes tests/stacks/recorded_actions.json, which
the stacks' tests compare with the task roles.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CALLS = ROOT / ".local" / "e2e-calls"
RECORDED = ROOT / "tests" / "stacks" / "recorded_actions.json"
SERVICES = ("orchestrator", "worker")

# Where the permission's name is not the operation's. IAM's service prefixes are the endpoints' names.
_PERMISSIONS = {
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "dynamodb:TransactWriteItems/Put": "dynamodb:PutItem",
    "dynamodb:TransactWriteItems/Update": "dynamodb:UpdateItem",
    "dynamodb:TransactWriteItems/Delete": "dynamodb:DeleteItem",
    "dynamodb:TransactWriteItems/ConditionCheck": "dynamodb:ConditionCheckItem",
    "dynamodb:TransactGetItems/Get": "dynamodb:GetItem",
    "s3:HeadObject": "s3:GetObject",
    "s3:GetObjectAttributes": "s3:GetObject",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:CopyObject": "s3:PutObject",
    "s3:ListParts": "s3:ListMultipartUploadParts",
    "s3:ListMultipartUploads": "s3:ListBucketMultipartUploads",
}
# The agent calls ECS with the task's role; no call of the task itself shows it.
_THROUGH_THE_AGENT = {"GET": "ecs:GetTaskProtection", "PUT": "ecs:UpdateTaskProtection"}


def permissions(calls: Path = CALLS) -> dict[str, list[str]]:
    """What each service needed, by the calls recorded in this directory."""
    needed: dict[str, set[str]] = {service: set() for service in SERVICES}
    for file in calls.glob("*.txt"):
        service = file.stem.rpartition("-")[0]
        for call in file.read_text().split():
            needed[service].add(_PERMISSIONS.get(call, call))
    return {service: sorted(actions) for service, actions in needed.items()}


def record_agent_call(task_name: str, method: str, calls: Path = CALLS) -> None:
    """Add what the agent needed for a call of this task."""
    with (calls / f"{task_name}.txt").open("a") as file:
        file.write(_THROUGH_THE_AGENT[method] + "\n")


def main() -> int:
    needed = permissions()
    if not all(needed.values()):
        print(f"no calls are recorded in {CALLS}; run pytest tests/e2e first", file=sys.stderr)
        return 1
    RECORDED.write_text(json.dumps(needed, indent=2) + "\n")
    print(f"written to {RECORDED.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
