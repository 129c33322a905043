"""The quotas that a day needs of its account, against those of a new account.

`checked` is when the default was last compared with its page; None: it could not be, so look before you rely
on it. Those that can be raised are asked for with their code: `python -m ops.preflight` compares an account.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ops.capacity.bill import volumes
from ops.capacity.figures import Figures
from ops.capacity.model import Day

_CONNECTIONS_AN_ARCHIVE = 2
_WRITES_A_JOB, _WRITES_AN_ARCHIVE = 6, 8
_CHECKED = "2026-11-25"
_DOCS = "https://docs.aws.amazon.com"


@dataclass(frozen=True, kw_only=True)
class Quota:
    """One bound; `per` says of what, in which unit."""

    name: str
    needed: float
    default: float
    per: str
    source: str
    checked: str | None = None

    @property
    def fits(self) -> bool:
        """A new account has enough."""
        return self.needed <= self.default


def quotas(day: Day, found: Figures) -> Iterator[Quota]:
    """Each with the most that the day needs of it at any time."""
    step, archives = day.play.step_s, max(1, day.workload.archives)
    ended_per_s = float(day.track.finished.max()) / step
    jobs_per_s = ended_per_s * len(day.workload.job_at) / archives
    entries_per_s = ended_per_s * volumes(day).entries / archives
    tasks = found.most_tasks + int(day.dispatched.tasks.max())
    yield Quota(
        name="Fargate On-Demand, L-3032A538",
        needed=found.on_demand_vcpus,
        default=6,
        per="vCPU",
        source=f"{_DOCS}/general/latest/gr/ecs-service.html",
    )
    yield Quota(
        name="Fargate Spot, L-36FBB829",
        needed=found.spot_vcpus,
        default=6,
        per="vCPU",
        source=f"{_DOCS}/general/latest/gr/ecs-service.html",
    )
    yield Quota(
        name="SQS in flight",
        needed=found.most_in_flight / day.play.queues,
        default=120_000,
        per="messages of a standard queue",
        source=f"{_DOCS}/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html",
        checked=_CHECKED,
    )
    yield Quota(
        name="DynamoDB writes, ledger",
        needed=ended_per_s * _WRITES_AN_ARCHIVE + jobs_per_s * _WRITES_A_JOB,
        default=40_000,
        per="units a second of an on-demand table",
        source=f"{_DOCS}/amazondynamodb/latest/developerguide/Limits.html",
        checked=_CHECKED,
    )
    yield Quota(
        name="DynamoDB reads, metadata",
        needed=entries_per_s,
        default=40_000,
        per="units a second of an on-demand table",
        source=f"{_DOCS}/amazondynamodb/latest/developerguide/Limits.html",
        checked=_CHECKED,
    )
    yield Quota(
        name="S3 PUT",
        needed=entries_per_s,
        default=3_500,
        per="a second of a prefix; S3 splits busy ones, with 503 until it has",
        source=f"{_DOCS}/AmazonS3/latest/userguide/optimizing-performance.html",
    )
    yield Quota(
        name="network interfaces, L-DF5E4CA3",
        needed=tasks,
        default=5_000,
        per="of a region, one a task, public address or not",
        source=f"{_DOCS}/vpc/latest/userguide/amazon-vpc-limits.html",
    )
    if gateways := day.deployed.nat_gateways:
        yield Quota(
            name="NAT connections",
            needed=found.most_in_flight * _CONNECTIONS_AN_ARCHIVE / gateways,
            default=55_000,
            per="at once to one destination, of a gateway's address",
            source=f"{_DOCS}/vpc/latest/userguide/nat-gateway-basics.html",
        )
    yield Quota(
        name="EventBridge PutEvents",
        needed=jobs_per_s,
        default=10_000,
        per="a second of an account; 400 in the smallest regions",
        source=f"{_DOCS}/eventbridge/latest/userguide/eb-quota.html",
    )
    yield Quota(
        name="CloudWatch Logs PutLogEvents",
        needed=tasks,
        default=5_000,
        per="a second of an account; a task's driver sends about one",
        source=f"{_DOCS}/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html",
    )


def quota_rows(found: Sequence[Quota]) -> list[tuple[str, str, str]]:
    """(quota, needed, against what)."""
    return [
        (
            quota.name,
            f"{quota.needed:,.0f}",
            f"of {quota.default:,.0f} {quota.per}"
            + ("" if quota.fits else ": too few")
            + ("" if quota.checked else " (default not checked)"),
        )
        for quota in found
    ]
