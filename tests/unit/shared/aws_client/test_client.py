"""The slim S3 client: signs as botocore does, retries what is worth it, says what went wrong."""

import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from runtime.shared.aws_client.client import AwsClient, Call
from runtime.shared.aws_client.endpoint import Endpoint, bucket_endpoint
from runtime.shared.aws_client.errors import AwsError, AwsUnreachable
from runtime.shared.aws_client.sigv4 import UNSIGNED_PAYLOAD, SigV4Signer, escape_path
from runtime.shared.consumer.cancellation import Cancellation, Cancelled
from runtime.shared.scope import Scope
from runtime.worker.aws.objects import crc_text, crc_value, header_safe

SLOW_DOWN = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Reduce your rate</Message></Error>"
DENIED = b"<Error><Code>AccessDenied</Code><Message>not yours</Message></Error>"


@dataclass
class Script:
    """What the stub answers, in order; None closes the connection without an answer. At the end: 200."""

    answers: list[tuple[int, bytes] | None] = field(default_factory=list)
    seen: list[tuple[str, str, bytes]] = field(default_factory=list)
    close_after_each: bool = False


@pytest.fixture
def stub() -> Iterator[tuple[Script, Endpoint]]:
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None: ...

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            script.seen.append((self.command, self.path, body))
            answer = script.answers.pop(0) if script.answers else (200, b"")
            if answer is None:
                self.close_connection = True
                return
            self.send_response(answer[0])
            self.send_header("Content-Length", str(len(answer[1])))
            self.end_headers()
            self.wfile.write(answer[1])
            self.close_connection = script.close_after_each

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield script, Endpoint.from_url(f"http://127.0.0.1:{server.server_port}/")
    server.shutdown()
    server.server_close()


def client_for(endpoint: Endpoint) -> AwsClient:
    signer = SigV4Signer(Credentials("AKID", "secret", "token"), "eu-west-1", "s3")
    return AwsClient(endpoint, signer, None, lambda operation: None)


def put(body: bytes = b"body") -> Call:
    return Call(
        operation="PutObject",
        method="PUT",
        path="/bucket/key",
        headers={"host": "h"},
        body=(body,),
        length=len(body),
    )


@pytest.fixture
def scope() -> Scope:
    return Scope(Cancellation())


@pytest.mark.parametrize(
    "answers",
    [
        [(503, SLOW_DOWN)],
        [(500, b"")],
        [None],
        [(400, b"<Error><Code>RequestTimeout</Code></Error>"), None, (503, SLOW_DOWN)],
        [(400, b"<Error><Code>BadDigest</Code></Error>")],
    ],
)
def test_what_may_pass_is_tried_again(stub: Any, scope: Scope, answers: list[Any]) -> None:
    script, endpoint = stub
    script.answers = list(answers)
    client_for(endpoint).call(put(), scope)
    assert [body for _, _, body in script.seen] == [b"body"] * (len(answers) + 1)


def test_a_refusal_is_told_at_once_in_words(stub: Any, scope: Scope) -> None:
    script, endpoint = stub
    script.answers = [(403, DENIED)]
    with pytest.raises(AwsError, match="PutObject answered 403 AccessDenied: not yours"):
        client_for(endpoint).call(put(), scope)
    assert len(script.seen) == 1


@pytest.mark.parametrize("answer", [(403, DENIED), (400, b"<Error><Code>EntityTooLarge</Code></Error>")])
def test_an_answer_before_the_body_is_sent_is_the_answer(scope: Scope, answer: tuple[int, bytes]) -> None:
    """A service that refuses by the head alone answers and closes while the body is on its way."""
    attempts: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def refuse() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                attempts.append(peer.recv(1_000))
                head = b"HTTP/1.1 %d No\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
                peer.sendall(head % (answer[0], len(answer[1])) + answer[1])

    thread = threading.Thread(target=refuse)
    thread.start()
    try:
        client = client_for(Endpoint.from_url(f"http://127.0.0.1:{listener.getsockname()[1]}/"))
        with pytest.raises(AwsError) as refused:
            client.call(put(bytes(30_000_000)), scope)
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
    assert (refused.value.status, len(attempts)) == (answer[0], 1)
    assert refused.value.code in ("AccessDenied", "EntityTooLarge")


def test_it_gives_up_in_the_end(stub: Any, scope: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.shared.aws_client.client._BACK_OFF_BASE_S", 0.001)
    monkeypatch.setattr("runtime.shared.aws_client.client._SLOW_DOWN_PATIENCE_S", 0)
    monkeypatch.setattr("runtime.shared.aws_client.adaptive_rate._LEAST_RATE", 1_000)
    script, endpoint = stub
    script.answers = [(503, SLOW_DOWN)] * 20
    with pytest.raises(AwsError, match="SlowDown"):
        client_for(endpoint).call(put(), scope)
    assert len(script.seen) == 7


def test_slow_down_lowers_the_rate_and_spends_no_retries(
    stub: Any, scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.shared.aws_client.adaptive_rate._LEAST_RATE", 100)
    script, endpoint = stub
    script.answers = [(503, SLOW_DOWN)] * 20
    client = client_for(endpoint)
    client.call(put(), scope)
    assert len(script.seen) == 21
    assert client.rate.per_s is not None


def test_nobody_there_is_told(scope: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.shared.aws_client.client._BACK_OFF_BASE_S", 0.001)
    with pytest.raises(AwsUnreachable, match="no answer from 127"):
        client_for(Endpoint.from_url("http://127.0.0.1:1/")).call(put(), scope)


def test_a_kept_connection_that_was_closed_costs_no_attempt(stub: Any, scope: Scope) -> None:
    script, endpoint = stub
    client = client_for(endpoint)
    script.close_after_each = True  # without saying so in a header, as an idle time-out does
    for _ in range(20):
        client.call(put(), scope)
    assert len(script.seen) == 20


def test_many_in_flight_on_one_thread(stub: Any, scope: Scope) -> None:
    script, endpoint = stub
    client = client_for(endpoint)
    bodies = [bytes([number]) * 100_000 for number in range(10)]
    for exchange in [client.start(put(body), scope) for body in bodies]:
        client.finish(exchange, scope)
    assert sorted(body for _, _, body in script.seen) == bodies


def test_a_cancelled_scope_ends_the_back_off(stub: Any) -> None:
    script, endpoint = stub
    script.answers = [(503, SLOW_DOWN)] * 20
    cancellation = Cancellation()
    threading.Timer(0.3, cancellation.set, ("stopping",)).start()
    with pytest.raises(Cancelled):
        client_for(endpoint).call(put(), Scope(cancellation))


@pytest.mark.parametrize("key", ["plain.txt", "a b/ü+%20&=?#~.txt", "日本/..//x"])
@pytest.mark.parametrize("token", [None, "session-token"])
def test_signatures_are_botocores(key: str, token: str | None) -> None:
    credentials = Credentials("AKID", "secret", token)
    headers = {"host": "b.s3.eu-west-1.amazonaws.com", "content-type": "text/plain", "x-amz-meta-a": "b"}
    path = "/" + escape_path(key)
    head = SigV4Signer(credentials, "eu-west-1", "s3").head(
        "PUT", f"{path}?partNumber=1&uploadId=x", headers, UNSIGNED_PAYLOAD, 3
    )
    lines = dict(line.split(":", 1) for line in head.decode().split("\r\n")[1:] if ":" in line)
    request = AWSRequest(
        "PUT",
        f"https://{headers['host']}{path}?partNumber=1&uploadId=x",
        headers={**headers, "X-Amz-Content-SHA256": UNSIGNED_PAYLOAD},
        data=b"abc",
    )
    request.context.update(timestamp=lines["x-amz-date"], payload_signing_enabled=False)
    auth = S3SigV4Auth(credentials, "s3", "eu-west-1")
    request.headers["X-Amz-Date"] = lines["x-amz-date"]
    if token:
        request.headers["X-Amz-Security-Token"] = token
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    found = re.search(r"Signature=([0-9a-f]{64})", lines["authorization"])
    assert found is not None
    assert found[1] == signature


def test_endpoints_are_botocores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    keys: Any = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "eu-west-1"}
    real = bucket_endpoint(boto3.client("s3", **keys), "my-bucket")
    assert (real.tls, real.host, real.port) == (True, "my-bucket.s3.eu-west-1.amazonaws.com", 443)
    assert real.base_path == "/"
    dotted = bucket_endpoint(boto3.client("s3", **keys), "my.bucket")
    assert (dotted.host, dotted.base_path) == ("s3.eu-west-1.amazonaws.com", "/my.bucket/")
    local = bucket_endpoint(boto3.client("s3", endpoint_url="http://127.0.0.1:5000", **keys), "b")
    assert (local.tls, local.authority, local.base_path) == (False, "127.0.0.1:5000", "/b/")


def test_checksums_and_header_values() -> None:
    assert crc_value(crc_text(0x12345678)) == 0x12345678
    assert crc_text(0) == "AAAAAA=="
    assert header_safe("a b\r\nc: ü") == "a%20b%0D%0Ac:%20%C3%BC"
