"""The fleet's work over time, from its metrics: CloudWatch's, or the lines in the local logs."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ops.fleet.documents import HostRate, Point, Series
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
FROM_HOST, HOST_FAILURES = "BytesFromHost", "FailuresOfHost"
"""Of each download host, by the dimension `host`."""
WAITING = "waiting on "
"""With a queue's name: a level, the highest of each period."""
QUEUES_FILE = "queues.jsonl"
"""Where a local platform keeps those."""
_RECENT = timedelta(minutes=5)
_HOST_METRICS = (FROM_HOST, HOST_FAILURES)
_HOST_ID = "host_"
Key = tuple[str, str]
"""A metric, and the host it is of: "" for those of the whole."""


def series_of(fleet: Fleet, *, window: timedelta, period_s: int) -> list[Series]:
    """Each of `RATES`, summed per period, those of each download host, and what waits on each queue."""
    if fleet.log_folder is not None:
        return _local(fleet.log_folder, window, period_s)
    return _cloudwatch(fleet, window, period_s)


def rates_of(series: Sequence[Series]) -> dict[str, float]:
    """Each of `RATES` per second, of what `recent` gives."""
    return {one.name: round(_per_second(one), 3) for one in series if one.name in RATES and not one.host}


def hosts_of(series: Sequence[Series]) -> list[HostRate]:
    """The throughput of each download host, and how often it fails; the busiest first."""
    by_host: dict[str, dict[str, float]] = defaultdict(dict)
    for one in series:
        if one.host:
            by_host[one.host][one.name] = _per_second(one)
    found = [
        HostRate(
            host=host,
            bytes_per_s=round(rates.get(FROM_HOST, 0.0), 1),
            failures_per_min=round(60 * rates.get(HOST_FAILURES, 0.0), 2),
        )
        for host, rates in by_host.items()
    ]
    return sorted(found, key=lambda one: (-one.bytes_per_s, one.host))


def recent(fleet: Fleet) -> list[Series]:
    """The last five minutes."""
    return series_of(fleet, window=_RECENT, period_s=60)


def _per_second(series: Series) -> float:
    return sum(point.value for point in series.points) / _RECENT.total_seconds()


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
        ]
        + [
            {"Id": f"{_HOST_ID}{number}", "Label": "${PROP('Dim.host')}", "Expression": search}
            for number, search in enumerate(_host_searches(fleet, period_s))
        ],
    )
    units = {name: unit for name, unit, _, _ in wanted}
    return [
        Series(
            name=name,
            host=host,
            unit="Bytes" if name == FROM_HOST else units.get(name, "Count"),
            period_s=period_s,
            points=[
                Point(at=at, value=value)
                for at, value in zip(found["Timestamps"], found["Values"], strict=True)
            ],
        )
        for found in answer["MetricDataResults"]
        for name, host in (_named(found["Id"], found["Label"]),)
    ]


def _host_searches(fleet: Fleet, period_s: int) -> Iterator[str]:
    """In the order of `_HOST_METRICS`: which hosts there are, CloudWatch knows."""
    for name in _HOST_METRICS:
        yield (
            f'SEARCH(\'{{{NAMESPACE},environment,host,service}} MetricName="{name}" '
            f"environment=\"{fleet.name}\"', 'Sum', {period_s})"
        )


def _named(result_id: str, label: str) -> Key:
    """Which metric a result is of, and which host."""
    if result_id.startswith(_HOST_ID):
        return _HOST_METRICS[int(result_id.removeprefix(_HOST_ID))], label
    return label, ""


def _own_metrics(fleet: Fleet) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    for name, (service, unit) in RATES.items():
        dimensions = _dimensions({"service": service, "environment": fleet.name})
        yield name, unit, "Sum", {"Namespace": NAMESPACE, "MetricName": name, "Dimensions": dimensions}


def _queue_metrics(fleet: Fleet) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    for queue in names_of(fleet):
        queue_name = url_of(fleet, queue).rpartition("/")[2]
        yield (
            f"{WAITING}{queue}",
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
    sums: dict[Key, dict[int, float]] = {(name, ""): defaultdict(float) for name in RATES}
    for service in SERVICES:
        for file in sorted(folder.glob(f"{service}-*.jsonl")):
            for at, key, value in _observations(file):
                if at >= since.timestamp() and (key in sums or key[0] in _HOST_METRICS):
                    sums.setdefault(key, defaultdict(float))[int(at // period_s)] += value
    queues = folder.parent / QUEUES_FILE
    for at, key, value in _observations(queues) if queues.exists() else ():
        if at >= since.timestamp():
            levels = sums.setdefault(key, defaultdict(float))
            levels[int(at // period_s)] = max(levels[int(at // period_s)], value)
    return [
        Series(
            name=name,
            host=host,
            unit="Bytes" if name.startswith("Bytes") else "Count",
            period_s=period_s,
            points=_points(found, since, period_s),
        )
        for (name, host), found in sums.items()
    ]


def _points(sums: Mapping[int, float], since: datetime, period_s: int) -> list[Point]:
    first, last = int(since.timestamp() // period_s) + 1, int(datetime.now(UTC).timestamp() // period_s)
    return [
        Point(at=datetime.fromtimestamp(number * period_s, UTC), value=sums.get(number, 0.0))
        for number in range(first, last + 1)
    ]


def _observations(file: Path) -> Iterator[tuple[float, Key, float]]:
    """(epoch seconds, metric and host, value) of each line in embedded metric format."""
    with file.open(encoding="utf-8", errors="replace") as lines:
        for text in lines:
            if '"_aws"' not in text or not text.endswith("\n"):
                continue
            document = json.loads(text)
            at, host = document["_aws"]["Timestamp"] / 1000, str(document.get("host", ""))
            for directive in document["_aws"]["CloudWatchMetrics"]:
                for metric in directive["Metrics"]:
                    value: float | Sequence[float] = document[metric["Name"]]
                    total = sum(value) if isinstance(value, list) else float(value)  # type: ignore[arg-type]
                    yield at, (metric["Name"], host), total
