"""Rates, of the whole and of each download host: from the local logs, and as CloudWatch is asked."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from local.queue_metrics import queue_metrics
from ops.fleet.circuits import pause
from ops.fleet.environment import Fleet
from ops.fleet.overview import look
from ops.fleet.throughput import QUEUES_FILE, WAITING, hosts_of, rates_of, recent
from runtime.shared.metrics import Metrics
from runtime.worker.fetch.hosts import HostTotals
from runtime.worker.metrics import HostMetrics
from tests.unit.conftest import REGION, until
from tests.unit.ops.conftest import Ops
from tests.unit.ops.site import Site

MINUTE = 60
TOTALS = {"a.example": HostTotals(3_000_000, 0), "b.example": HostTotals(9_000, 5)}


def written(site: Site, capsys: pytest.CaptureFixture[str], totals: Mapping[str, HostTotals]) -> None:
    """What a worker would have written into its log."""
    metrics = Metrics(namespace="n", service="worker", environment="site", interval_s=60)
    metrics.ask(HostMetrics(metrics, lambda: totals))
    metrics.add("BytesDownloaded", sum(host.bytes for host in totals.values()), "Bytes")
    capsys.readouterr()
    metrics.flush()
    with (site.logs / "worker-1.jsonl").open("a") as log:
        log.write(capsys.readouterr().out)


def test_the_local_logs_tell_each_hosts_rate_once(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    written(site, capsys, TOTALS)
    pause(site.fleet, ["b.example"], "")
    seen = look(site.fleet)
    assert [(host.host, host.bytes_per_s, host.failures_per_min, host.state) for host in seen.hosts] == [
        ("a.example", 10_000.0, 0.0, "closed"),
        ("b.example", 30.0, 1.0, "paused"),
    ]
    assert seen.rates["BytesDownloaded"] == 10_030.0


def test_the_backlog_of_a_local_platform_is_a_level_over_time(site: Site) -> None:
    for number in range(3):
        site.fleet.client("sqs").send_message(
            QueueUrl=site.fleet.output("ExportJobsQueueUrl"), MessageBody=str(number)
        )
    with queue_metrics(site.fleet):
        until((site.logs.parent / QUEUES_FILE).exists)
        until(lambda: "waiting on export-jobs" in (site.logs.parent / QUEUES_FILE).read_text())
    levels = {
        one.name: max(point.value for point in one.points)
        for one in recent(site.fleet)
        if one.name.startswith(WAITING)
    }
    assert levels["waiting on export-jobs"] == 3
    assert levels["waiting on download-tasks DLQ"] == 0


def test_watch_shows_them(site: Site, ops: Ops, capsys: pytest.CaptureFixture[str]) -> None:
    written(site, capsys, TOTALS)
    answer = ops("watch", "--count", "1")
    assert "from a.example" in answer.out
    assert "10.0 kB/s" in answer.out
    assert "30 B/s, 1.0 failures a minute" in answer.out


def test_cloudwatch_is_asked_once_which_hosts_there_are_and_what_they_gave() -> None:
    session = boto3.Session("key", "secret", region_name=REGION)
    outputs = {f"{name}QueueUrl": f"https://sqs/1/{name}" for name in ("ExportJobs", "DownloadTasks")}
    fleet = Fleet(name="prod", outputs=outputs, session=session)
    asked: dict[str, Any] = {}
    fleet.client("cloudwatch").meta.events.register(
        "provide-client-params.cloudwatch.GetMetricData", lambda params, **_: asked.update(params)
    )
    at = datetime(2026, 1, 2, tzinfo=UTC)

    def result(id_: str, label: str, value: float) -> dict[str, Any]:
        return {"Id": id_, "Label": label, "Timestamps": [at], "Values": [value], "StatusCode": "Complete"}

    results = [
        result("m2", "BytesDownloaded", 300.0),
        result("host_0", "a.example", 150.0),
        result("host_0", "b.example", 300.0),
        result("host_1", "a.example", 10.0),
        result("m6", "waiting on export-jobs", 7.0),
    ]
    with Stubber(fleet.client("cloudwatch")) as stub:
        stub.add_response(
            "get_metric_data",
            {"MetricDataResults": results},
            {"StartTime": ANY, "EndTime": ANY, "ScanBy": ANY, "MetricDataQueries": ANY},
        )
        series = recent(fleet)
    searches = [query["Expression"] for query in asked["MetricDataQueries"] if "Expression" in query]
    assert searches == [
        f'SEARCH(\'{{ExportProcessing,environment,host,service}} MetricName="{name}" '
        f"environment=\"prod\"', 'Sum', {MINUTE})"
        for name in ("BytesFromHost", "FailuresOfHost")
    ]
    assert rates_of(series) == {"BytesDownloaded": 1.0}
    assert [(host.host, host.bytes_per_s, host.failures_per_min) for host in hosts_of(series)] == [
        ("b.example", 1.0, 0.0),
        ("a.example", 0.5, 2.0),
    ]
