"""What the worker counts: objects that S3 does not take, and what comes from each host."""

import json

import pytest

from runtime.shared.aws_client.errors import AwsError, AwsUnreachable
from runtime.shared.metrics import Metrics
from runtime.worker.fetch.hosts import HostTotals
from runtime.worker.metrics import HostMetrics, WorkerMetrics


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


def test_each_host_is_told_as_it_grows_and_only_then(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = Metrics(namespace="n", service="worker", environment="test", interval_s=60)
    totals = {"a.example": HostTotals(100, 0), "b\u00fc.example": HostTotals(0, 2), "idle": HostTotals(0, 0)}
    metrics.ask(HostMetrics(metrics, lambda: totals))
    metrics.flush()
    totals["a.example"] = HostTotals(130, 1)
    metrics.flush()
    metrics.flush()
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["host"], one["BytesFromHost"], one["FailuresOfHost"]) for one in documents] == [
        ("a.example", [100.0], [0.0]),
        ("b\\xfc.example", [0.0], [2.0]),
        ("a.example", [30.0], [1.0]),
    ]
    (dimensions,) = documents[0]["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
    assert set(dimensions) == {"service", "environment", "host"}


def test_hosts_without_number_are_no_metrics_without_number(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = Metrics(namespace="n", service="worker", environment="test", interval_s=60)
    metrics.ask(HostMetrics(metrics, lambda: {f"h{number}": HostTotals(1, 0) for number in range(100)}))
    metrics.flush()
    assert len(capsys.readouterr().out.splitlines()) == 20
