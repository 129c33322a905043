"""The queues of each priority that the environment has: what waits, is in hand and is parked."""

from datetime import UTC, datetime, timedelta

from ops.fleet.documents import Queue
from ops.fleet.environment import Fleet, at_once

EXPORT_JOBS, DOWNLOAD_TASKS = "export-jobs", "download-tasks"
ALL = tuple(
    f"{base}{priority}" for base in (EXPORT_JOBS, DOWNLOAD_TASKS) for priority in ("", "-high", "-low")
)
_COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


def names_of(fleet: Fleet) -> tuple[str, ...]:
    """The work queues there are: two, or with priorities six."""
    return tuple(queue for queue in ALL if f"{_label(queue)}QueueUrl" in fleet.outputs)


def url_of(fleet: Fleet, queue: str, *, dlq: bool = False) -> str:
    return fleet.output(f"{_label(queue)}{'DlqUrl' if dlq else 'QueueUrl'}")


def arn_of(fleet: Fleet, queue: str, *, dlq: bool = False) -> str:
    return fleet.output(f"{_label(queue)}{'DlqArn' if dlq else 'QueueArn'}")


def _label(queue: str) -> str:
    """As the outputs name it: `export-jobs-high` is ExportJobsHigh."""
    return queue.title().replace("-", "")


def depths(fleet: Fleet, *, ages: bool = False) -> list[Queue]:
    """The queues and their DLQs; `ages` asks CloudWatch for the oldest message of each as well."""

    def depth(which: tuple[str, bool]) -> Queue:
        queue, dlq = which
        url = url_of(fleet, queue, dlq=dlq)
        counts = fleet.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=list(_COUNTS))
        waiting, in_flight, delayed = (int(counts["Attributes"][name]) for name in _COUNTS)
        return Queue(
            name=f"{queue} DLQ" if dlq else queue,
            waiting=waiting,
            in_flight=in_flight,
            delayed=delayed,
            oldest_s=_oldest_s(fleet, url) if ages and waiting else None,
        )

    return at_once(depth, [(queue, dlq) for queue in names_of(fleet) for dlq in (False, True)])


def _oldest_s(fleet: Fleet, url: str) -> float | None:
    if fleet.log_folder is not None:
        return None  # the local platform has no CloudWatch to ask
    now = datetime.now(UTC)
    points = fleet.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SQS",
        MetricName="ApproximateAgeOfOldestMessage",
        Dimensions=[{"Name": "QueueName", "Value": url.rpartition("/")[2]}],
        StartTime=now - timedelta(minutes=10),
        EndTime=now,
        Period=60,
        Statistics=["Maximum"],
    )["Datapoints"]
    return max(points, key=lambda point: point["Timestamp"])["Maximum"] if points else None
