"""The cost of a day, by item: the hours it ran, and what its archives caused."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ops.capacity.model import Day
from ops.capacity.prices import Prices
from ops.capacity.read import Service
from ops.capacity.workload import DAY_S

_DAYS_A_MONTH = 365 / 12
_FREE_DISK_GB = 20
_SMALL_ENTRY_MB = 0.01
_PART_MB = 16.0
_BATCH = 10
# Writes to the ledger: a job's record, cursor, counts and end; an archive's task, claim, checkpoints and end.
_WRITES_A_JOB, _WRITES_AN_ARCHIVE = 6, 8
_LOG_KB_AN_ARCHIVE, _LOG_KB_A_JOB = 6.0, 3.0
_EMF_METRICS = 30
# Container Insights: metrics of a cluster, two services and their families; a log event a task and minute.
_INSIGHTS_METRICS, _INSIGHTS_KB = 60, 1.5
_IDLE_POLLS_A_TASK_MINUTE = 3
_MESSAGE_KB = 2.0


@dataclass(frozen=True, kw_only=True)
class BillItem:
    """A line of the bill; `usd` for one day."""

    name: str
    usd: float
    because: str


@dataclass(frozen=True, kw_only=True)
class Volumes:
    """The amounts that a day moved. Entries and bytes are of what matched."""

    fetched_gb: float
    output_gb: float
    entries: float


def volumes(day: Day) -> Volumes:
    """Bytes and entries of the day's archives, what was fetched again included."""
    assumed = day.assumed
    done = ~np.isnan(day.done_at)
    seconds = float(day.workload.need[done].sum(dtype=np.float64))
    output_mb = seconds * assumed.archive_mb_s * assumed.inflation
    small = output_mb * assumed.small_share / _SMALL_ENTRY_MB
    return Volumes(
        fetched_gb=(seconds + day.repeated_s) * assumed.archive_mb_s / 1_000,
        output_gb=output_mb / 1_000,
        entries=small + output_mb * (1 - assumed.small_share) / assumed.entry_mb,
    )


def bill(day: Day, prices: Prices) -> list[BillItem]:
    """Every item above zero."""
    items = [
        *_compute(day, prices),
        *_network(day, prices),
        *_per_archive(day, prices),
        *_standing(day, prices),
    ]
    return [item for item in items if item.usd > 0]


def total(items: list[BillItem]) -> float:
    """Dollars a day."""
    return sum(item.usd for item in items)


def task_hours(day: Day) -> dict[str, tuple[float, float]]:
    """By service, (on demand, Spot) within the day's 24 hours."""
    steps = round(DAY_S / day.play.step_s)
    worker = tuple(
        float(kind[:steps].sum()) * day.play.step_s / 3600 for kind in (day.track.on_demand, day.track.spot)
    )
    orchestrators = [
        day.deployed.orchestrator.split(int(n)) for n in day.dispatched.tasks[: round(DAY_S / 60)]
    ]
    listing = tuple(sum(kind) / 60 for kind in zip(*orchestrators, strict=True))
    return {"worker": (worker[0], worker[1]), "orchestrator": (listing[0], listing[1])}


def task_hour_usd(service: Service, prices: Prices, *, spot: bool) -> float:
    """An hour of one task, its disk included and its address not."""
    kind = f"{'spot' if spot else 'fargate'}_{'arm' if service.arm else 'x86'}"
    return (
        service.cores * prices[f"{kind}_vcpu"]
        + service.memory_mib / 1024 * prices[f"{kind}_gb"]
        + max(0, service.disk_gib - _FREE_DISK_GB) * prices["fargate_disk"]
    )


def _compute(day: Day, prices: Prices) -> Iterator[BillItem]:
    hours = task_hours(day)
    for service in (day.deployed.worker, day.deployed.orchestrator):
        for spot, ran in zip((False, True), hours[service.name], strict=True):
            yield BillItem(
                name=", ".join(
                    [
                        "Fargate Spot" if spot else "Fargate",
                        service.name,
                        "arm64" if service.arm else "x86_64",
                    ]
                ),
                usd=ran * task_hour_usd(service, prices, spot=spot),
                because=f"{ran:,.0f} task-hours of {service.cores:g} vCPU, {service.memory_mib / 1024:g} GB",
            )


def _network(day: Day, prices: Prices) -> Iterator[BillItem]:
    deployed, gb = day.deployed, volumes(day).fetched_gb
    addresses = sum(
        sum(hours)
        for name, hours in task_hours(day).items()
        if (deployed.worker if name == "worker" else deployed.orchestrator).public_ip
    )
    yield BillItem(
        name="public IPv4", usd=addresses * prices["public_ipv4"], because=f"{addresses:,.0f} address-hours"
    )
    nat = deployed.nat_gateways
    yield BillItem(
        name="NAT",
        usd=nat * 24 * prices["nat_hour"] + (gb * prices["nat_gb"] if nat else 0),
        because=f"{nat} gateways, {gb:,.0f} GB",
    )
    through = _sqs_requests(day) * _MESSAGE_KB / 1e6 if deployed.sqs_endpoint else 0
    yield BillItem(
        name="interface endpoints",
        usd=deployed.endpoint_interfaces * 24 * prices["endpoint_hour"] + through * prices["endpoint_gb"],
        because=f"{deployed.endpoint_interfaces} interfaces",
    )


def _sqs_requests(day: Day) -> float:
    """Sends, deletes and heartbeats go in tens, a receive brings two, and idle polls bring nothing."""
    archives, jobs = day.workload.archives, len(day.workload.job_at)
    beat_s = float(day.deployed.worker.settings.get("HEARTBEAT_INTERVAL_S", 60))
    task_minutes = 60 * sum(sum(hours) for hours in task_hours(day).values())
    return (
        (2 * archives + 2 * jobs + day.handed_over) / _BATCH
        + (day.receives + jobs) / 2
        + day.heartbeats / beat_s / _BATCH
        + task_minutes * _IDLE_POLLS_A_TASK_MINUTE
    )


def _per_archive(day: Day, prices: Prices) -> Iterator[BillItem]:
    moved, archives, jobs = volumes(day), day.workload.archives, len(day.workload.job_at)
    requests = _sqs_requests(day)
    yield BillItem(
        name="SQS",
        usd=requests / 1e6 * (prices["sqs_requests"] + prices["sqs_fair"]),
        because=f"{requests / 1e6:,.1f} M requests, of fair queues",
    )
    parts = max(1.0, day.assumed.entry_mb / _PART_MB)
    puts = moved.entries * parts + moved.entries / 1_000 + 3 * archives
    yield BillItem(
        name="S3 requests",
        usd=puts / 1e6 * prices["s3_put"],
        because=f"{puts / 1e6:,.0f} M objects, parts, manifests and listings",
    )
    months = day.assumed.kept_days / _DAYS_A_MONTH
    yield BillItem(
        name="S3 storage",
        usd=moved.output_gb * months * prices["s3_storage"],
        because=f"{moved.output_gb:,.0f} GB, kept for {day.assumed.kept_days:g} days",
    )
    writes = jobs * _WRITES_A_JOB + archives * _WRITES_AN_ARCHIVE
    yield BillItem(
        name="DynamoDB",
        usd=writes / 1e6 * prices["dynamodb_writes"] + moved.entries / 1e6 * prices["dynamodb_reads"],
        because=f"{writes / 1e6:,.1f} M writes, {moved.entries / 1e6:,.0f} M metadata reads",
    )
    logs = (archives * _LOG_KB_AN_ARCHIVE + jobs * _LOG_KB_A_JOB) / 1e6
    yield BillItem(name="logs", usd=logs * prices["logs"], because=f"{logs:,.1f} GB")


def _standing(day: Day, prices: Prices) -> Iterator[BillItem]:
    deployed = day.deployed
    monthly = _EMF_METRICS * prices["metrics"]
    for item in ("alarms", "composite_alarms", "dashboards"):
        monthly += getattr(deployed, item) * prices[item]
    yield BillItem(
        name="metrics, alarms, dashboards",
        usd=monthly / _DAYS_A_MONTH,
        because=f"{_EMF_METRICS} metrics, {deployed.alarms + deployed.composite_alarms} alarms",
    )
    if deployed.insights:
        minutes = 60 * sum(sum(hours) for hours in task_hours(day).values())
        yield BillItem(
            name="Container Insights",
            usd=_INSIGHTS_METRICS * prices["metrics"] / _DAYS_A_MONTH
            + minutes * _INSIGHTS_KB / 1e6 * prices["logs"],
            because=f"{_INSIGHTS_METRICS} metrics, an event a task and minute",
        )
    yield BillItem(
        name="KMS, secrets",
        usd=(deployed.keys * prices["kms_keys"] + deployed.secrets * prices["secrets"]) / _DAYS_A_MONTH,
        because=f"{deployed.keys} keys (bucket keys keep the requests few), {deployed.secrets} secrets",
    )
