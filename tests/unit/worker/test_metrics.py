"""What the worker counts when S3 does not take an object."""

import json

import pytest

from runtime.shared.aws_client.errors import AwsError, AwsUnreachable
from runtime.shared.metrics import Metrics
from runtime.worker.metrics import WorkerMetrics


@pytest.mark.parametrize(
    ("error", "counted"),
    [
        (AwsError("PutObject", 403, "AccessDenied", "no"), True),
        (AwsUnreachable("UploadPart", "no answer"), True),
        (AwsError("BatchGetItem", 500, "InternalServerError", ""), False),
        (ValueError("something else"), False),
    ],
)
def test_only_a_refused_object_is_an_upload_failure(
    error: Exception, counted: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = Metrics(namespace="n", service="worker", environment="test", interval_s=60)
    WorkerMetrics(metrics).failure(error)
    metrics.flush()
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert any("UploadFailure" in document for document in documents) is counted
