"""The proxy against a real moto server, through boto3 without its retries: each fault as a client sees it."""

import base64
import itertools
import json
import random
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError

from local.faults.proxy.journal import Journal
from local.faults.proxy.operations import Operation
from local.faults.proxy.proxy import FaultProxy
from local.faults.proxy.random_source import Fault, RandomSource
from local.faults.proxy.sabotage import Sabotage

_names = (f"x{number}" for number in itertools.count())


class Scripted(RandomSource):
    """Breaks the next call of an operation in a given way."""

    def __init__(self) -> None:
        super().__init__(seed=1, rates={})
        self.script: dict[str, list[str]] = {}

    def decide(self, operation: Operation) -> Fault | None:
        kinds = self.script.get(str(operation))
        return Fault(kinds.pop(0), random.Random(1)) if kinds else None


class Setup:
    """A proxy with scripted random_source and clients on it."""

    def __init__(self, proxy: FaultProxy, random_source: Scripted, journal: Path) -> None:
        self.proxy, self.random_source, self.journal_path = proxy, random_source, journal
        self.name = next(_names)

    def client(self, service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]  # a name known only at run time
            service,
            endpoint_url=self.proxy.url,
            region_name="eu-west-1",
            aws_access_key_id="a",
            aws_secret_access_key="b",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def breaks(self, operation: str, *kinds: str) -> None:
        self.random_source.script[operation] = list(kinds)

    def queue(self, sqs: Any) -> str:
        url: str = sqs.create_queue(QueueName=f"q-{self.name}", Attributes={"VisibilityTimeout": "30"})[
            "QueueUrl"
        ]
        return url

    def bucket(self, s3: Any) -> str:
        s3.create_bucket(
            Bucket=f"b-{self.name}", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        return f"b-{self.name}"

    def journal(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.journal_path.read_text().splitlines()]


@pytest.fixture
def make(moto_url: str, tmp_path: Path) -> Iterator[Callable[..., Setup]]:
    with ExitStack() as stack:

        def start(**options: Any) -> Setup:
            random_source = Scripted()
            journal = Journal(tmp_path / "journal.jsonl")
            proxy = stack.enter_context(FaultProxy(moto_url, random_source, journal, hang_s=0.2, **options))
            return Setup(proxy, random_source, tmp_path / "journal.jsonl")

        yield start


@pytest.fixture
def setup(make: Callable[..., Setup]) -> Setup:
    return make()


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def crc(data: bytes) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def receive(sqs: Any, url: str, **more: Any) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"], **more
    ).get("Messages", [])
    return messages


def send(sqs: Any, url: str, *bodies: str) -> None:
    for body in bodies:
        sqs.send_message(QueueUrl=url, MessageBody=body)


class TestEveryService:
    @pytest.mark.parametrize(
        ("service", "call", "throttled", "broken"),
        [
            ("sqs", lambda c: c.list_queues(), "RequestThrottled", "InternalError"),
            ("s3", lambda c: c.list_objects_v2(Bucket="none"), "SlowDown", "InternalError"),
            (
                "dynamodb",
                lambda c: c.get_item(TableName="none", Key={"a": {"S": "1"}}),
                "ProvisionedThroughputExceededException",
                "InternalServerError",
            ),
            (
                "events",
                lambda c: c.put_events(Entries=[{"Source": "s", "DetailType": "t", "Detail": "{}"}]),
                "ThrottlingException",
                "InternalException",
            ),
            (
                "secretsmanager",
                lambda c: c.get_secret_value(SecretId="none"),
                "ThrottlingException",
                "InternalServiceError",
            ),
        ],
    )
    def test_errors_are_the_services_own(
        self, setup: Setup, service: str, call: Callable[[Any], Any], throttled: str, broken: str
    ) -> None:
        client = setup.client(service)
        setup.random_source.decide = lambda _: Fault("throttled", random.Random(1))  # type: ignore[method-assign, assignment]
        with pytest.raises(ClientError) as error:
            call(client)
        assert code(error) == throttled
        setup.random_source.decide = lambda _: Fault("server-error", random.Random(1))  # type: ignore[method-assign, assignment]
        with pytest.raises(ClientError) as error:
            call(client)
        assert code(error) == broken
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500

    @pytest.mark.parametrize(
        ("kind", "applied"),
        [
            ("reset-before", False),
            ("timeout-before", False),
            ("reset-after", True),
            ("timeout-after", True),
            ("server-error-after", True),
        ],
    )
    def test_a_call_is_applied_or_not(self, setup: Setup, kind: str, applied: bool) -> None:
        s3 = setup.client("s3")
        bucket = setup.bucket(s3)
        setup.breaks("s3.PutObject", kind)
        with pytest.raises((ClientError, ConnectionClosedError, HTTPClientError)):
            s3.put_object(Bucket=bucket, Key="k", Body=b"x")
        assert (s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1) is applied
        s3.put_object(Bucket=bucket, Key="k", Body=b"x")  # and the client goes on


class TestQueues:
    def test_a_stale_receipt_deletes_nothing(self, setup: Setup) -> None:
        sqs = setup.client("sqs")
        url = setup.queue(sqs)
        send(sqs, url, "a")
        setup.breaks("sqs.ReceiveMessage", "duplicate")
        (first,) = receive(sqs, url)
        (second,) = receive(sqs, url, WaitTimeSeconds=2)
        assert first["MessageId"] == second["MessageId"]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
        sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle=second["ReceiptHandle"], VisibilityTimeout=0
        )
        (third,) = receive(sqs, url, WaitTimeSeconds=2)
        answer = sqs.delete_message_batch(
            QueueUrl=url,
            Entries=[
                {"Id": "old", "ReceiptHandle": second["ReceiptHandle"]},
                {"Id": "new", "ReceiptHandle": third["ReceiptHandle"]},
            ],
        )
        assert {entry["Id"] for entry in answer["Successful"]} == {"old", "new"}
        assert receive(sqs, url) == []

    def test_a_twin_extends_without_hiding_the_copy(self, setup: Setup) -> None:
        sqs = setup.client("sqs")
        url = setup.queue(sqs)
        send(sqs, url, "a")
        setup.breaks("sqs.ReceiveMessage", "duplicate")
        (first,) = receive(sqs, url)
        sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=30
        )
        assert receive(sqs, url, WaitTimeSeconds=2)

    def test_an_expired_receipt_extends_nothing(self, setup: Setup) -> None:
        sqs = setup.client("sqs")
        url = setup.queue(sqs)
        send(sqs, url, "a")
        setup.breaks("sqs.ReceiveMessage", "receipt-expired")
        (first,) = receive(sqs, url)

        def extend() -> None:
            sqs.change_message_visibility(
                QueueUrl=url, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=30
            )

        with pytest.raises(ClientError) as error:
            extend()
        assert code(error) == "MessageNotInflight"
        assert receive(sqs, url, WaitTimeSeconds=2)
        with pytest.raises(ClientError) as error:
            extend()
        assert code(error) == "InvalidParameterValue"

    def test_the_cap_counts_from_the_receipt(self, make: Callable[..., Setup]) -> None:
        setup = make(cap_s=100)
        sqs = setup.client("sqs")
        url = setup.queue(sqs)
        send(sqs, url, "a")
        (message,) = receive(sqs, url)
        entry = {"Id": "a", "ReceiptHandle": message["ReceiptHandle"]}
        granted = sqs.change_message_visibility_batch(
            QueueUrl=url, Entries=[{**entry, "VisibilityTimeout": 90}]
        )
        assert granted["Successful"] == [{"Id": "a"}]
        refused = sqs.change_message_visibility_batch(
            QueueUrl=url, Entries=[{**entry, "VisibilityTimeout": 101}]
        )
        (failure,) = refused["Failed"]
        assert failure["Code"] == "InvalidParameterValue"
        assert "Total VisibilityTimeout" in failure["Message"]

    def test_twelve_hours_are_granted(self, setup: Setup) -> None:
        sqs = setup.client("sqs")
        url = setup.queue(sqs)
        send(sqs, url, "a")
        (message,) = receive(sqs, url, VisibilityTimeout=43_200)
        sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=43_199
        )

    @pytest.mark.parametrize(
        "name", ["SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"]
    )
    def test_a_batch_fails_in_part(self, setup: Setup, name: str) -> None:
        sqs = setup.client("sqs")
        url = setup.queue(sqs)
        if name == "SendMessageBatch":
            entries: list[dict[str, Any]] = [{"Id": str(n), "MessageBody": str(n)} for n in range(6)]
            call = sqs.send_message_batch
        else:
            send(sqs, url, *map(str, range(6)))
            entries = [
                {"Id": m["Body"], "ReceiptHandle": m["ReceiptHandle"], "VisibilityTimeout": 0}
                for m in receive(sqs, url)
            ]
            call = sqs.change_message_visibility_batch
            if name == "DeleteMessageBatch":
                entries = [{k: v for k, v in e.items() if k != "VisibilityTimeout"} for e in entries]
                call = sqs.delete_message_batch
        setup.breaks(f"sqs.{name}", "partial")
        answer = call(QueueUrl=url, Entries=entries)
        done = {entry["Id"] for entry in answer["Successful"]}
        failed = {entry["Id"] for entry in answer["Failed"]}
        assert done
        assert failed
        assert done | failed == {str(n) for n in range(6)}
        visible = {m["Body"] for m in receive(sqs, url, WaitTimeSeconds=1)}
        assert visible == (set() if name == "DeleteMessageBatch" else done)

    def test_messages_are_withheld_and_shuffled(self, setup: Setup) -> None:
        sqs = setup.client("sqs")
        url = setup.queue(sqs)
        send(sqs, url, "a", "b", "c", "d")
        setup.breaks("sqs.ReceiveMessage", "withheld", "shuffled")
        assert [m["Body"] for m in receive(sqs, url)] == ["b", "c", "d"]
        assert receive(sqs, url) == []

    def test_a_poll_ends_with_its_client(self, setup: Setup) -> None:
        sqs = setup.client("sqs")
        url = setup.queue(sqs)
        hasty = setup.client("sqs")
        hasty.meta.config.read_timeout = 0.3
        hasty._endpoint.http_session._timeout._read = 0.3
        with pytest.raises(HTTPClientError):
            hasty.receive_message(QueueUrl=url, WaitTimeSeconds=20)
        send(sqs, url, "a")
        (message,) = receive(sqs, url, WaitTimeSeconds=2)
        assert message["Attributes"]["ApproximateReceiveCount"] == "1"


class TestObjects:
    def test_a_changed_byte_is_a_bad_digest(self, setup: Setup) -> None:
        s3 = setup.client("s3")
        bucket = setup.bucket(s3)
        setup.breaks("s3.PutObject", "corrupted")
        with pytest.raises(ClientError) as error:
            s3.put_object(Bucket=bucket, Key="k", Body=b"some bytes")
        assert code(error) == "BadDigest"
        with pytest.raises(ClientError) as error:
            s3.put_object(Bucket=bucket, Key="k", Body=b"some bytes", ChecksumCRC32=crc(b"other"))
        assert code(error) == "BadDigest"
        assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0

    @pytest.mark.parametrize("right", [True, False])
    def test_a_multipart_upload_has_one_crc(self, setup: Setup, right: bool) -> None:
        s3 = setup.client("s3")
        bucket = setup.bucket(s3)
        pieces = [random.Random(1).randbytes(5 << 20), b"the rest"]
        upload = {
            "Bucket": bucket,
            "Key": "k",
            "UploadId": s3.create_multipart_upload(
                Bucket=bucket, Key="k", ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT"
            )["UploadId"],
        }
        parts = [
            {
                "PartNumber": number,
                "ChecksumCRC32": crc(piece),
                "ETag": s3.upload_part(**upload, PartNumber=number, Body=piece, ChecksumCRC32=crc(piece))[
                    "ETag"
                ],
            }
            for number, piece in enumerate(pieces, 1)
        ]
        whole = crc(b"".join(pieces) if right else b"something else")

        def complete() -> None:
            s3.complete_multipart_upload(
                **upload, MultipartUpload={"Parts": parts}, ChecksumCRC32=whole, ChecksumType="FULL_OBJECT"
            )

        if not right:
            with pytest.raises(ClientError) as error:
                complete()
            assert code(error) == "BadDigest"
            return
        setup.breaks("s3.CompleteMultipartUpload", "error-in-200")
        with pytest.raises(ClientError) as error:
            complete()
        assert code(error) == "InternalError"
        complete()
        assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"".join(pieces)
        assert [line["key"] for line in setup.journal() if line["kind"] == "object"] == ["k"]

    def test_a_multipart_upload_keeps_its_condition(self, setup: Setup) -> None:
        s3 = setup.client("s3")
        bucket = setup.bucket(s3)
        etag = s3.put_object(Bucket=bucket, Key="k", Body=b"old")["ETag"]

        def write(body: bytes, condition: str) -> None:
            upload = {
                "Bucket": bucket,
                "Key": "k",
                "UploadId": s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"],
            }
            part = s3.upload_part(**upload, PartNumber=1, Body=body)["ETag"]
            parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
            s3.complete_multipart_upload(**upload, MultipartUpload=parts, IfMatch=condition)

        with pytest.raises(ClientError) as error:
            write(b"lost", '"0123"')
        assert code(error) == "PreconditionFailed"
        write(b"new", etag)
        assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"new"

    def test_trailing_checksums_are_checked(self, setup: Setup) -> None:
        import http.client

        s3 = setup.client("s3")
        bucket = setup.bucket(s3)
        for data, status in ((b"hello", 200), (b"HELLO", 400)):
            body = b"5\r\n" + data + b"\r\n0\r\nx-amz-checksum-crc32:" + crc(b"hello").encode() + b"\r\n\r\n"
            connection = http.client.HTTPConnection(setup.proxy.url.removeprefix("http://"))
            connection.request(
                "PUT",
                f"/{bucket}/k",
                body,
                {
                    "Authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/eu-west-1/s3/aws4_request, x",
                    "Content-Encoding": "aws-chunked",
                    "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
                    "x-amz-decoded-content-length": "5",
                    "x-amz-trailer": "x-amz-checksum-crc32",
                },
            )
            response = connection.getresponse()
            assert response.status == status, response.read()
            connection.close()
        assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"hello"


class TestTables:
    def table(self, setup: Setup, dynamodb: Any) -> str:
        dynamodb.create_table(
            TableName=f"t-{setup.name}",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        return f"t-{setup.name}"

    def test_keys_are_left_unprocessed(self, setup: Setup) -> None:
        dynamodb = setup.client("dynamodb")
        table = self.table(setup, dynamodb)
        keys = [{"id": {"S": str(number)}} for number in range(5)]
        for key in keys:
            dynamodb.put_item(TableName=table, Item=key)
        setup.breaks("dynamodb.BatchGetItem", "partial")
        answer = dynamodb.batch_get_item(RequestItems={table: {"Keys": keys}})
        assert len(answer["Responses"][table]) == 2
        assert answer["UnprocessedKeys"][table]["Keys"] == keys[2:]

    def test_a_transaction_conflicts(self, setup: Setup) -> None:
        dynamodb = setup.client("dynamodb")
        table = self.table(setup, dynamodb)
        setup.breaks("dynamodb.TransactWriteItems", "conflict")
        items = [{"Put": {"TableName": table, "Item": {"id": {"S": str(number)}}}} for number in range(2)]
        with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as error:
            dynamodb.transact_write_items(TransactItems=items)
        assert [reason["Code"] for reason in error.value.response["CancellationReasons"]] == [
            "TransactionConflict",
            "None",
        ]

    def test_a_fence_can_be_sabotaged(self, make: Callable[..., Setup]) -> None:
        setup = make(broken=Sabotage.NO_FENCE)
        dynamodb = setup.client("dynamodb")
        table = self.table(setup, dynamodb)
        dynamodb.put_item(TableName=table, Item={"id": {"S": "1"}, "generation": {"N": "2"}})
        dynamodb.update_item(
            TableName=table,
            Key={"id": {"S": "1"}},
            UpdateExpression="SET #s = :done",
            ConditionExpression="generation = :g",
            ExpressionAttributeNames={"#s": "status"},
            ExpressionAttributeValues={":g": {"N": "1"}, ":done": {"S": "done"}},
        )
        assert dynamodb.get_item(TableName=table, Key={"id": {"S": "1"}})["Item"]["status"] == {"S": "done"}


def test_events_are_journalled_once_taken(setup: Setup) -> None:
    events = setup.client("events")
    entries = [{"Source": "s", "DetailType": "t", "Detail": json.dumps({"n": n})} for n in range(3)]
    setup.breaks("events.PutEvents", "partial")
    answer = events.put_events(Entries=entries)
    assert answer["FailedEntryCount"] == 1
    assert ["ErrorCode" in entry for entry in answer["Entries"]] == [True, False, False]
    assert [json.loads(line["detail"])["n"] for line in setup.journal()] == [1, 2]


def test_the_same_seed_breaks_the_same_calls() -> None:
    operation = Operation("sqs", "ReceiveMessage", "/", {})
    other = Operation("s3", "PutObject", "/b/k", {})

    def kinds(seed: int, between: int) -> list[str | None]:
        random_source = RandomSource(seed=seed, rates={"throttled": 0.1, "duplicate": 0.2})
        seen = []
        for _ in range(200):
            fault = random_source.decide(operation)
            seen.append(fault.kind if fault else None)
            for _ in range(between):
                random_source.decide(other)
        return seen

    assert kinds(1, 0) == kinds(1, 3)
    assert kinds(1, 0) != kinds(2, 0)
    assert {"throttled", "duplicate", None} == set(kinds(1, 0))


def test_calm_is_calm() -> None:
    random_source = RandomSource(seed=1, rates={"throttled": 1.0})
    operation = Operation("sqs", "SendMessage", "/", {})
    fault = random_source.decide(operation)
    assert fault
    random_source.happened(operation, fault)
    random_source.calm()
    assert random_source.decide(operation) is None
    assert random_source.count == {"sqs.throttled": 1}


def test_unknown_rates_are_refused() -> None:
    with pytest.raises(ValueError, match="gremlins"):
        RandomSource(seed=1, rates={"gremlins": 0.5})
