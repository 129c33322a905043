"""The local AWS moves messages from a dead-letter queue as SQS does, and refuses what SQS refuses."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.aws.account import LocalAccount
from tests.unit.conftest import until


@dataclass(frozen=True)
class Pair:
    """A queue and its dead-letter queue."""

    sqs: Any
    url: str
    arn: str
    dlq_url: str
    dlq_arn: str

    def park(self, body: str, **more: Any) -> None:
        self.sqs.send_message(QueueUrl=self.dlq_url, MessageBody=body, **more)

    def start(self, **more: Any) -> str:
        answer = self.sqs.start_message_move_task(
            **{"SourceArn": self.dlq_arn, "DestinationArn": self.arn, **more}
        )
        return str(answer["TaskHandle"])

    @property
    def task(self) -> Any:
        return self.sqs.list_message_move_tasks(SourceArn=self.dlq_arn)["Results"][0]

    def received(self, url: str) -> list[Any]:
        found: list[Any] = []
        while messages := self.sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        ).get("Messages"):
            found += messages
        return found


@pytest.fixture(scope="module")
def sqs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    account = LocalAccount("123456789012", "eu-west-1", tmp_path_factory.mktemp("aws"))
    try:
        yield account.client("sqs")
    finally:
        account.close()


@pytest.fixture
def pair(sqs: Any) -> Pair:
    name = uuid.uuid4().hex
    dlq_url, dlq_arn = _made(sqs, f"{name}-dlq", {})
    policy = json.dumps({"deadLetterTargetArn": dlq_arn, "maxReceiveCount": 3})
    return Pair(sqs, *_made(sqs, name, {"RedrivePolicy": policy}), dlq_url, dlq_arn)


def _made(sqs: Any, name: str, attributes: dict[str, str]) -> tuple[str, str]:
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return url, told["Attributes"]["QueueArn"]


def test_everything_is_moved_with_its_attributes_and_group(pair: Pair) -> None:
    reason = {"reason": {"DataType": "String", "StringValue": "not-a-zip"}}
    for number in range(5):
        pair.park(f"body {number}", MessageAttributes=reason, MessageGroupId=f"job-{number}")
    pair.start()
    until(lambda: pair.task["Status"] == "COMPLETED")
    assert pair.task["ApproximateNumberOfMessagesMoved"] == 5
    assert pair.task["ApproximateNumberOfMessagesToMove"] == 5
    assert "TaskHandle" not in pair.task
    moved = pair.received(pair.url)
    assert {message["Body"] for message in moved} == {f"body {number}" for number in range(5)}
    assert {message["Attributes"]["MessageGroupId"] for message in moved} == {f"job-{n}" for n in range(5)}
    assert {message["Attributes"]["ApproximateReceiveCount"] for message in moved} == {"1"}
    assert all(message["MessageAttributes"]["reason"]["StringValue"] == "not-a-zip" for message in moved)
    assert not pair.received(pair.dlq_url)


def test_what_somebody_holds_stays(pair: Pair) -> None:
    pair.park("held")
    held = pair.sqs.receive_message(QueueUrl=pair.dlq_url)["Messages"]
    pair.park("free")
    pair.start()
    until(lambda: pair.task["Status"] == "COMPLETED")
    assert [message["Body"] for message in pair.received(pair.url)] == ["free"]
    receipt = held[0]["ReceiptHandle"]
    pair.sqs.change_message_visibility(QueueUrl=pair.dlq_url, ReceiptHandle=receipt, VisibilityTimeout=0)
    assert [message["Body"] for message in pair.received(pair.dlq_url)] == ["held"]


def test_one_task_a_source_is_active_until_it_is_cancelled(pair: Pair) -> None:
    for number in range(50):
        pair.park(str(number))
    handle = pair.start(MaxNumberOfMessagesPerSecond=2)
    with pytest.raises(ClientError, match="Only one active task is allowed"):
        pair.start()
    assert pair.task["TaskHandle"] == handle
    assert pair.task["MaxNumberOfMessagesPerSecond"] == 2
    pair.sqs.cancel_message_move_task(TaskHandle=handle)
    until(lambda: pair.task["Status"] == "CANCELLED")
    assert pair.task["ApproximateNumberOfMessagesMoved"] < 50
    with pytest.raises(ClientError, match="active tasks"):
        pair.sqs.cancel_message_move_task(TaskHandle=handle)
    pair.start()
    until(lambda: pair.task["Status"] == "COMPLETED")
    assert len(pair.received(pair.url)) == 50
    results = pair.sqs.list_message_move_tasks(SourceArn=pair.dlq_arn, MaxResults=10)["Results"]
    assert [task["Status"] for task in results] == ["COMPLETED", "CANCELLED"]


def test_what_was_sent_to_the_dlq_directly_has_no_queue_to_go_back_to(pair: Pair) -> None:
    pair.park("parked by a consumer")
    pair.sqs.start_message_move_task(SourceArn=pair.dlq_arn)
    until(lambda: pair.task["Status"] == "FAILED")
    assert pair.task["FailureReason"] == "CouldNotDetermineMessageSource"
    assert len(pair.received(pair.dlq_url)) == 1


@pytest.mark.parametrize(
    ("changes", "code", "told"),
    [
        ({"MaxNumberOfMessagesPerSecond": 0}, "InvalidParameterValue", "between 1 and 500"),
        ({"MaxNumberOfMessagesPerSecond": 501}, "InvalidParameterValue", "between 1 and 500"),
        ({"SourceArn": "arn:aws:sqs:eu-west-1:123456789012:none"}, "ResourceNotFoundException", "SourceArn"),
        ({"DestinationArn": "arn:aws:sqs:eu-west-1:1:none"}, "ResourceNotFoundException", "DestinationArn"),
        ({"SourceArn": "queue"}, "InvalidParameterValue", "configured as a Dead Letter Queue"),
        ({"DestinationArn": "dlq"}, "InvalidParameterValue", "cannot be the same"),
    ],
)
def test_what_sqs_refuses_is_refused(pair: Pair, changes: dict[str, Any], code: str, told: str) -> None:
    known = {"queue": pair.arn, "dlq": pair.dlq_arn}
    with pytest.raises(ClientError) as caught:
        pair.start(**{name: known.get(str(value), value) for name, value in changes.items()})
    error = caught.value.response["Error"]
    assert error["Code"].endswith(code)
    assert told in error["Message"]


def test_a_handle_that_nobody_has_given_is_refused(sqs: Any) -> None:
    with pytest.raises(ClientError, match="TaskHandle"):
        sqs.cancel_message_move_task(TaskHandle="bm9uZQ==")
