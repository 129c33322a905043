"""Calls made without botocore ask, return and raise what botocore does, and are tried again as by it."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from runtime.shared.aws import client_config
from runtime.shared.aws_client.beside_botocore import client_beside
from runtime.shared.aws_client.json_service import NoAnswer, dynamodb_directly, sqs_directly
from tests.unit.conftest import REGION, Aws

ATTRIBUTES = {
    "text": {"DataType": "String", "StringValue": 'ünïcode "quoted"'},
    "number": {"DataType": "Number", "StringValue": "1"},
    "binary": {"DataType": "Binary", "BinaryValue": bytes(range(256))},
}
ITEM: dict[str, Any] = {
    "S": {"S": "text"},
    "B": {"B": b"\x00\xff"},
    "N": {"N": "1.5"},
    "flag": {"BOOL": True},
    "nothing": {"NULL": True},
    "nested": {"M": {"B": {"L": [{"B": b"inner"}, {"S": "B"}]}}},
}


def session() -> boto3.Session:
    return boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)


def botocores(service: str, url: str, *, attempts: int = 4) -> Any:
    config = client_config(4, read_timeout_s=1, attempts=attempts)
    return session().client(service, endpoint_url=url, config=config)  # type: ignore[call-overload]


def shape(value: Any) -> Any:
    """Names and types, whatever the ids and moments are."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items() if name != "ResponseMetadata"}
    return [shape(item) for item in value] if isinstance(value, list) else type(value)


@pytest.mark.parametrize("group", [None, "a-group"])
def test_messages_travel_as_with_botocore(aws: Aws, group: str | None) -> None:
    boto, queue = botocores("sqs", aws.url), aws.queue().url
    entry: dict[str, Any] = {"Id": "0", "MessageBody": "body \u2603", "MessageAttributes": ATTRIBUTES}
    if group:
        entry["MessageGroupId"] = group
    answers = []
    for client in (boto, aws.sqs):
        sent = client.send_message_batch(QueueUrl=queue, Entries=[entry])
        received = client.receive_message(
            QueueUrl=queue,
            MaxNumberOfMessages=10,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        (message,) = received["Messages"]
        assert message["Body"] == entry["MessageBody"]
        assert message["MessageAttributes"] == ATTRIBUTES
        receipt = {"Id": "0", "ReceiptHandle": message["ReceiptHandle"]}
        kept = client.change_message_visibility_batch(
            QueueUrl=queue, Entries=[{**receipt, "VisibilityTimeout": 60}]
        )
        gone = client.delete_message_batch(QueueUrl=queue, Entries=[receipt])
        answers.append(shape([sent, received, kept, gone]))
    assert answers[0] == answers[1]


def test_items_come_back_as_they_were_written(aws: Aws) -> None:
    boto, table = botocores("dynamodb", aws.url), aws.table()
    key = {"export_job_id": {"S": "job"}, "item": {"S": "JOB"}}
    update = {
        "TableName": table,
        "Key": key,
        "UpdateExpression": "SET " + ", ".join(f"#{n} = :{n}" for n in range(len(ITEM))),
        "ExpressionAttributeNames": {f"#{n}": name for n, name in enumerate(ITEM)},
        "ExpressionAttributeValues": {f":{n}": value for n, value in enumerate(ITEM.values())},
        "ReturnValues": "ALL_NEW",
    }
    for client in (boto, aws.dynamodb):
        assert client.update_item(**update)["Attributes"] == {**key, **ITEM}
        assert client.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"] == {**key, **ITEM}


def test_refusals_are_botocores(aws: Aws) -> None:
    boto, table = botocores("dynamodb", aws.url), aws.table()
    key = {"export_job_id": {"S": "job"}, "item": {"S": "JOB"}}
    aws.dynamodb.put_item(TableName=table, Item={**key, "B": {"B": b"x"}})
    write = {
        "TableName": table,
        "Key": key,
        "UpdateExpression": "SET a = :a",
        "ConditionExpression": "attribute_not_exists(export_job_id)",
        "ExpressionAttributeValues": {":a": {"S": "a"}},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    for method, asked in (
        ("update_item", write),
        ("transact_write_items", {"TransactItems": [{"Update": write}]}),
        ("get_item", {"TableName": "no-such-table", "Key": key}),
    ):
        refusals = []
        for client in (boto, aws.dynamodb):
            with pytest.raises(ClientError) as refused:
                getattr(client, method)(**asked)
            response: Any = refused.value.response
            kept = {name: response.get(name) for name in ("Item", "CancellationReasons")}
            name = type(refused.value).__name__
            refusals.append((name, response["Error"]["Code"], kept, refused.value.operation_name))
        assert refusals[0] == refusals[1]


class Script:
    """What the stub answers, in order; None closes the connection, a float waits so long. At the end: 200."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, str] | float | None] = []
        self.bodies: list[dict[str, Any]] = []


@pytest.fixture
def stub() -> Iterator[tuple[Script, str]]:
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None: ...

        def do_POST(self) -> None:
            script.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            answer = script.answers.pop(0) if script.answers else (200, "")
            if answer is None:
                self.close_connection = True
                return
            if isinstance(answer, float):
                time.sleep(answer)
                answer = (200, "")
            status, code = answer
            body = json.dumps({"__type": f"com.amazonaws#{code}", "message": "no"} if code else {}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield script, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "answers",
    [
        [None],
        [(500, "InternalServerError")],
        [(503, "ServiceUnavailable"), None],
        [(400, "ThrottlingException")],
        [(400, "ProvisionedThroughputExceededException")],
        [(400, "RequestLimitExceeded")],
        [1.5],
    ],
)
def test_what_may_pass_is_tried_again_with_the_same_token(stub: Any, answers: list[Any]) -> None:
    script, url = stub
    script.answers = list(answers)
    boto = botocores("dynamodb", url)
    client = dynamodb_directly(boto, client_beside(boto, session(), read_timeout_s=1, paced=False))
    check: Any = {"TableName": "t", "Key": {"k": {"S": "v"}}, "ConditionExpression": "attribute_exists(k)"}
    client.transact_write_items(TransactItems=[{"ConditionCheck": check}])
    assert len(script.bodies) == len(answers) + 1
    assert len({body["ClientRequestToken"] for body in script.bodies}) == 1


@pytest.mark.parametrize("code", ["AccessDeniedException", "ValidationException", "SomethingNew"])
def test_what_cannot_pass_is_asked_once(stub: Any, code: str) -> None:
    script, url = stub
    script.answers = [(400, code)]
    boto = botocores("sqs", url)
    client = sqs_directly(boto, client_beside(boto, session()))
    with pytest.raises(ClientError, match=f"{code}.* SendMessageBatch .*: no"):
        client.send_message_batch(QueueUrl=f"{url}/q", Entries=[])
    assert len(script.bodies) == 1


def test_a_long_poll_without_an_answer_is_not_made_again_here(stub: Any) -> None:
    script, url = stub
    script.answers = [1.5, 1.5]
    boto = botocores("sqs", url, attempts=1)
    client = sqs_directly(boto, client_beside(boto, session(), read_timeout_s=1), timeouts_again=False)
    with pytest.raises(NoAnswer, match="within the time-out") as failure:
        client.receive_message(QueueUrl=f"{url}/q")
    assert isinstance(failure.value, BotoCoreError)
    assert len(script.bodies) == 1


def test_nobody_there_is_botocores_error() -> None:
    boto = botocores("sqs", "http://127.0.0.1:1", attempts=1)
    with pytest.raises(BotoCoreError, match=r"127\.0\.0\.1:1"):
        sqs_directly(boto, client_beside(boto, session())).receive_message(QueueUrl="http://127.0.0.1:1/q")
