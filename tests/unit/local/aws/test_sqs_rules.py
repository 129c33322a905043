"""The local AWS refuses what SQS refuses: each row a message, sent alone and in a batch with a good one."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError
from moto.sqs.models import SQSBackend

from local.aws import sqs_rules
from local.aws.account import LocalAccount

MIB = 1 << 20


@pytest.fixture(scope="module")
def sqs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    account = LocalAccount("123456789012", "eu-west-1", tmp_path_factory.mktemp("aws"))
    try:
        yield account.client("sqs")
    finally:
        account.close()


@pytest.fixture(scope="module")
def url(sqs: Any) -> str:
    return str(sqs.create_queue(QueueName="q")["QueueUrl"])


def attributes(count: int, value: str = "v") -> dict[str, dict[str, str]]:
    return {f"name-{n}": {"DataType": "String", "StringValue": value} for n in range(count)}


TAKEN: dict[str, dict[str, Any]] = {
    "a body of one character": {"MessageBody": "x"},
    "every kind of punctuation as a group": {
        "MessageGroupId": "a" * 96 + "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
    },
    "128 characters as a group": {"MessageGroupId": "g" * 128},
    "ten attributes": {"MessageAttributes": attributes(10)},
    "1 MiB": {"MessageBody": "x" * MIB},
    "1 MiB with an attribute": {
        "MessageBody": "x" * (MIB - len("name-0String") - 5),
        "MessageAttributes": attributes(1, "12345"),
    },
    "tabs, line ends and all planes": {"MessageBody": "\t\r\n\u00e9\u2713\U0001f600"},
    "a delay of 15 minutes": {"DelaySeconds": 900},
}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a space in the group": ({"MessageGroupId": "job 1"}, "MessageGroupId"),
    "an accent in the group": ({"MessageGroupId": "\u00e9t\u00e9"}, "MessageGroupId"),
    "a line end after the group": ({"MessageGroupId": "job\n"}, "MessageGroupId"),
    "an empty group": ({"MessageGroupId": ""}, "MessageGroupId"),
    "129 characters as a group": ({"MessageGroupId": "g" * 129}, "MessageGroupId"),
    "eleven attributes": ({"MessageAttributes": attributes(11)}, "attributes"),
    "1 MiB and a byte": ({"MessageBody": "x" * (MIB + 1)}, "shorter"),
    "1 MiB of characters that take two bytes": ({"MessageBody": "\u00e9" * (MIB // 2 + 1)}, "shorter"),
    "1 MiB and an attribute": (
        {"MessageBody": "x" * (MIB - len("name-0String") - 4), "MessageAttributes": attributes(1, "12345")},
        "shorter",
    ),
    "a control character": ({"MessageBody": "a\x01b"}, "character"),
    "a character that is none": ({"MessageBody": "a\uffffb"}, "character"),
    "no body": ({"MessageBody": ""}, "MessageBody"),
    "a delay of more than 15 minutes": ({"DelaySeconds": 901}, "DelaySeconds"),
    "a delay into the past": ({"DelaySeconds": -1}, "DelaySeconds"),
}


@pytest.mark.parametrize("message", TAKEN.values(), ids=TAKEN)
def test_what_sqs_takes_is_taken(sqs: Any, url: str, message: dict[str, Any]) -> None:
    message = {"MessageBody": "{}", **message}
    assert sqs.send_message(QueueUrl=url, **message)["MessageId"]
    assert sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": "1", **message}])["Successful"]


@pytest.mark.parametrize(("message", "told"), REFUSED.values(), ids=REFUSED)
def test_what_sqs_refuses_is_refused_alone(sqs: Any, url: str, message: dict[str, Any], told: str) -> None:
    with pytest.raises(ClientError) as caught:
        sqs.send_message(QueueUrl=url, **{"MessageBody": "{}", **message})
    error = caught.value.response["Error"]
    assert error["Code"] in ("InvalidParameterValue", "MissingParameter")
    assert told in error["Message"]


@pytest.mark.parametrize(
    ("message", "told"), [row for row in REFUSED.values() if row[1] != "shorter"],
    ids=[name for name, row in REFUSED.items() if row[1] != "shorter"],
)  # fmt: skip
def test_what_is_refused_in_a_batch_holds_nothing_else_back(
    sqs: Any, url: str, message: dict[str, Any], told: str
) -> None:
    entries = [{"Id": "bad", "MessageBody": "{}", **message}, {"Id": "good", "MessageBody": "{}"}]
    answer = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
    (failed,) = answer["Failed"]
    assert (failed["Id"], failed["SenderFault"]) == ("bad", True)
    assert told in failed["Message"]


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([{"Id": str(n), "MessageBody": "x" * (MIB // 2)} for n in range(2)], None),
        ([{"Id": str(n), "MessageBody": "x" * (MIB // 2 + 1)} for n in range(2)], "BatchRequestTooLong"),
        ([{"Id": "1", "MessageBody": "\u00e9" * (MIB // 2 + 1)}], "BatchRequestTooLong"),
        ([{"Id": str(n), "MessageBody": "x"} for n in range(11)], "TooManyEntriesInBatchRequest"),
        ([{"Id": "1", "MessageBody": "x"}] * 2, "BatchEntryIdsNotDistinct"),
        ([{"Id": "a b", "MessageBody": "x"}], "InvalidBatchEntryId"),
        ([], "EmptyBatchRequest"),
    ],
)
def test_batches_have_limits(sqs: Any, url: str, entries: list[Any], code: str | None) -> None:
    if code is None:
        assert len(sqs.send_message_batch(QueueUrl=url, Entries=entries)["Successful"]) == len(entries)
        return
    with pytest.raises((ClientError, ParamValidationError)) as caught:
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert isinstance(caught.value, ClientError)
    assert code in caught.value.response["Error"]["Code"]


def test_a_queue_has_only_so_much_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqs_rules, "MAX_IN_FLIGHT", 2)
    # In this process only for the test: the server installs them in its own.
    for name in ("send_message", "send_message_batch", "receive_message"):
        monkeypatch.setattr(SQSBackend, name, getattr(SQSBackend, name))
    sqs_rules.install()
    backend = SQSBackend("eu-west-1", "123456789012")
    backend.create_queue("q")
    for _ in range(4):
        backend.send_message("q", "{}")
    assert len(backend.receive_message("q", 2, 0, 30)) == 2
    with pytest.raises(sqs_rules.OverLimit):
        backend.receive_message("q", 1, 0, 30)
    assert backend.receive_message("q", 1, 20, 30) == []
    backend.delete_message("q", str(backend.get_queue("q")._messages[0].receipt_handle))
    assert len(backend.receive_message("q", 1, 0, 30)) == 1
