"""What waits, what is in hand and what is parked: the four queues."""

from datetime import UTC, datetime, timedelta
from typing import Literal

from ops.fleet.documents import Queue
from ops.fleet.environment import Fleet

QueueName = Literal["export-jobs", "download-tasks"]
LABELS: dict[QueueName, str] = {"export-jobs": "ExportJobs", "download-tasks": "DownloadTasks"}
_COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


def url_of(fleet: Fleet, queue: QueueName, *, dlq: bool = False) -> str:
    return fleet.output(f"{LABELS[queue]}{'DlqUrl' if dlq else 'QueueUrl'}")


def arn_of(fleet: Fleet, queue: QueueName, *, dlq: bool = False) -> str:
    return fleet.output(f"{LABELS[queue]}{'DlqArn' if dlq else 'QueueArn'}")


def depths(fleet: Fleet, *, ages: bool = False) -> list[Queue]:
    """The two queues and their DLQs; `ages` asks CloudWatch for the oldest message of each as well."""
    found = []
    for queue in LABELS:
        for dlq in (False, True):
            url = url_of(fleet, queue, dlq=dlq)
            counts = fleet.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=list(_COUNTS))
            waiting, in_flight, delayed = (int(counts["Attributes"][name]) for name in _COUNTS)
            found.append(
                Queue(
                    name=f"{queue} DLQ" if dlq else queue,
                    waiting=waiting,
                    in_flight=in_flight,
                    delayed=delayed,
                    oldest_s=_oldest_s(fleet, url) if ages and waiting else None,
                )
            )
    return found


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
