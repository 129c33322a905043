"""What the task roles may not do, and that they may do all that the services did."""

import json

import pytest
from botocore.exceptions import ClientError

from tests.e2e.exports import zip_of
from tests.recorder import RECORDED

FILES = {"a.txt": b"a"}


@pytest.mark.parametrize(
    ("service", "task", "operation", "arguments"),
    [
        ("s3", "worker", "put_object", {"Bucket": "BucketName", "Key": "elsewhere/a", "Body": b""}),
        ("s3", "worker", "delete_object", {"Bucket": "BucketName", "Key": "exports/a"}),
        ("s3", "orchestrator", "get_object", {"Bucket": "BucketName", "Key": "exports/a"}),
        ("s3", "orchestrator", "put_object", {"Bucket": "BucketName", "Key": "exports/a", "Body": b""}),
        ("sqs", "worker", "receive_message", {"QueueUrl": "ExportJobsQueueUrl"}),
        ("sqs", "worker", "send_message", {"QueueUrl": "ExportJobsQueueUrl", "MessageBody": "x"}),
        ("sqs", "orchestrator", "receive_message", {"QueueUrl": "DownloadTasksQueueUrl"}),
        ("sqs", "worker", "receive_message", {"QueueUrl": "DownloadTasksDlqUrl"}),
        (
            "dynamodb",
            "worker",
            "put_item",
            {
                "TableName": "MetadataTableName",
                "Item": {"export_job_id": {"S": "a"}, "file_path": {"S": "a"}},
            },
        ),
        ("dynamodb", "orchestrator", "scan", {"TableName": "MetadataTableName"}),
        (
            "secretsmanager",
            "worker",
            "put_secret_value",
            {"SecretId": "ExportApiSecretArn", "SecretString": "x"},
        ),
    ],
)
def test_what_a_task_role_may_not_do(platform, service, task, operation, arguments):
    named = {
        key: platform.outputs.get(value, value) if isinstance(value, str) else value
        for key, value in arguments.items()
    }
    with pytest.raises(ClientError) as refused:
        getattr(platform.task_client(service, task), operation)(**named)
    assert refused.value.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException")


def test_the_services_need_no_more_than_the_recorded_permissions(run):
    """Refresh with `python -m tests.recorder` after a run of all end-to-end tests."""
    run.describe(FILES).offer(zip_of(FILES)).send().finish()
    recorded = json.loads(RECORDED.read_text())
    for service, actions in run.platform.permissions_used().items():
        assert actions <= set(recorded[service]), service
