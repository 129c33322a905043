"""Where work of a priority is sent, and what is consumed."""

import uuid

import pytest

from runtime.orchestrator.dispatcher import Dispatcher
from runtime.shared.consumer import SourceQueue
from runtime.shared.contracts import Priority
from runtime.shared.export_api import FileRecord
from runtime.shared.metrics import Metrics
from runtime.shared.priorities import PriorityQueues
from tests.unit.conftest import Aws

WEIGHTS: dict[Priority, int] = {"high": 8, "normal": 4, "low": 1}
ALL = PriorityQueues(normal="n", high="h", low="l")
ONE = PriorityQueues(normal="n")


@pytest.mark.parametrize(
    ("queues", "priority", "url"),
    [
        (ALL, "high", "h"),
        (ALL, "normal", "n"),
        (ALL, "low", "l"),
        (ALL, None, "n"),
        (ONE, "high", "n"),
        (ONE, "low", "n"),
        (ONE, None, "n"),
    ],
)
def test_work_goes_to_the_queue_of_its_priority_or_to_the_only_one(
    queues: PriorityQueues, priority: Priority | None, url: str
) -> None:
    assert queues.url_of(priority) == url


def test_what_came_by_a_priority_has_it() -> None:
    assert [ALL.priority_at(url) for url in ("h", "n", "l", "")] == ["high", None, "low", None]
    assert [ONE.priority_at(url) for url in ("n", "")] == [None, None]


def test_every_queue_is_consumed_with_its_weight() -> None:
    dlqs = PriorityQueues(normal="n-dlq", high="h-dlq", low="l-dlq")
    assert ALL.sources(dlqs, WEIGHTS) == [
        SourceQueue("h", "h-dlq", 8),
        SourceQueue("n", "n-dlq", 4),
        SourceQueue("l", "l-dlq", 1),
    ]
    assert ONE.sources(PriorityQueues(normal="n-dlq"), WEIGHTS) == [SourceQueue("n", "n-dlq", 4)]


def test_a_task_is_dispatched_to_its_jobs_priority(aws: Aws) -> None:
    urls = {
        name: aws.sqs.create_queue(QueueName=f"{name}-{uuid.uuid4().hex}")["QueueUrl"]
        for name in ("high", "normal", "low")
    }
    metrics = Metrics(namespace="n", service="s", environment="e", interval_s=60)
    dispatcher = Dispatcher(aws.sqs, PriorityQueues(**urls), metrics)
    for priority in (*WEIGHTS, None):
        record = FileRecord(file_id=f"{priority}", name="a.zip", download_url="https://x.example/a.zip")
        dispatcher.send("job", [record], correlation_id="c", priority=priority, run=1)

    received = {
        name: len(
            aws.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)["Messages"]
        )
        for name, url in urls.items()
    }
    assert received == {"high": 1, "normal": 2, "low": 1}
