"""What the fleet did over time, from its metrics: CloudWatch's, or the lines in the local logs."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ops.fleet.documents import Point, Series
from ops.fleet.environment import SERVICES, Fleet
from ops.fleet.queues import names_of, url_of

NAMESPACE = "ExportProcessing"
RATES: Mapping[str, tuple[str, str]] = {
    "TasksDispatched": ("orchestrator", "Count"),
    "ApiErrors": ("orchestrator", "Count"),
    "BytesDownloaded": ("worker", "Bytes"),
    "BytesUploaded": ("worker", "Bytes"),
    "EntriesMatched": ("worker", "Count"),
    "EntriesRejected": ("worker", "Count"),
}
"""The metrics shown, with the service that writes each and its unit."""
_RECENT = timedelta(minutes=5)


def series_of(fleet: Fleet, *, window: timedelta, period_s: int) -> list[Series]:
    """Each of `RATES`, summed per period, and (in an account) what waits on each queue."""
    if fleet.log_folder is not None:
        return _local(fleet.log_folder, window, period_s)
    return _cloudwatch(fleet, window, period_s)


def rates_of(fleet: Fleet) -> dict[str, float]:
    """Each of `RATES` per second, over the last five minutes."""
    found = series_of(fleet, window=_RECENT, period_s=60)
    return {
        series.name: round(sum(point.value for point in series.points) / _RECENT.total_seconds(), 3)
        for series in found
        if series.name in RATES
    }


def _cloudwatch(fleet: Fleet, window: timedelta, period_s: int) -> list[Series]:
    now = datetime.now(UTC)
    wanted = [*_own_metrics(fleet), *_queue_metrics(fleet)]
    answer = fleet.client("cloudwatch").get_metric_data(
        StartTime=now - window,
        EndTime=now,
        ScanBy="TimestampAscending",
        MetricDataQueries=[
            {
                "Id": f"m{number}",
                "Label": name,
                "MetricStat": {"Metric": metric, "Period": period_s, "Stat": statistic},
            }
            for number, (name, _, statistic, metric) in enumerate(wanted)
        ],
    )
    units = {name: unit for name, unit, _, _ in wanted}
    return [
        Series(
            name=found["Label"],
            unit=units[found["Label"]],
            period_s=period_s,
            points=[
                Point(at=at, value=value)
                for at, value in zip(found["Timestamps"], found["Values"], strict=True)
            ],
        )
        for found in answer["MetricDataResults"]
    ]


def _own_metrics(fleet: Fleet) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    for name, (service, unit) in RATES.items():
        dimensions = _dimensions({"service": service, "environment": fleet.name})
        yield name, unit, "Sum", {"Namespace": NAMESPACE, "MetricName": name, "Dimensions": dimensions}


def _queue_metrics(fleet: Fleet) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    for queue in names_of(fleet):
        queue_name = url_of(fleet, queue).rpartition("/")[2]
        yield (
            f"waiting on {queue}",
            "Count",
            "Maximum",
            {
                "Namespace": "AWS/SQS",
                "MetricName": "ApproximateNumberOfMessagesVisible",
                "Dimensions": _dimensions({"QueueName": queue_name}),
            },
        )


def _dimensions(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in values.items()]


def _local(folder: Path, window: timedelta, period_s: int) -> list[Series]:
    since = datetime.now(UTC) - window
    sums: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for service in SERVICES:
        for file in sorted(folder.glob(f"{service}-*.jsonl")):
            for at, name, value in _observations(file):
                if at >= since.timestamp() and name in RATES:
                    sums[name][int(at // period_s)] += value
    return [
        Series(name=name, unit=unit, period_s=period_s, points=_points(sums[name], since, period_s))
        for name, (_, unit) in RATES.items()
    ]


def _points(sums: Mapping[int, float], since: datetime, period_s: int) -> list[Point]:
    first, last = int(since.timestamp() // period_s) + 1, int(datetime.now(UTC).timestamp() // period_s)
    return [
        Point(at=datetime.fromtimestamp(number * period_s, UTC), value=sums.get(number, 0.0))
        for number in range(first, last + 1)
    ]


def _observations(file: Path) -> Iterator[tuple[float, str, float]]:
    """(epoch seconds, metric, value) of each line in embedded metric format."""
    with file.open(encoding="utf-8", errors="replace") as lines:
        for text in lines:
            if '"_aws"' not in text or not text.endswith("\n"):
                continue
            document = json.loads(text)
            at = document["_aws"]["Timestamp"] / 1000
            for directive in document["_aws"]["CloudWatchMetrics"]:
                for metric in directive["Metrics"]:
                    value: float | Sequence[float] = document[metric["Name"]]
                    yield at, metric["Name"], sum(value) if isinstance(value, list) else float(value)  # type: ignore[arg-type]
