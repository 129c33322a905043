"""Where spans go: a real receiver over HTTP, one that is away, one that says nothing, and a file."""

import gzip
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from runtime.shared import tracing
from runtime.shared.tracing.delivery import CLOSE_S, FileSink, HttpSink, Sink, SpanQueue, xray_signer
from runtime.shared.tracing.recorder import Recorder


@dataclass
class Receiver:
    """Of OTLP/HTTP. `statuses` are its first answers; later ones are 200."""

    statuses: list[int] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    def spans(self) -> list[dict[str, Any]]:
        return [
            span
            for _, headers, body in self.requests
            for resource in json.loads(gzip.decompress(body))["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status = made.statuses.pop(0) if made.statuses else 200
            if status == 200:
                headers = {name.lower(): value for name, value in self.headers.items()}
                made.requests.append((self.path, headers, body))
            self.send_response(status)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}/v1/traces"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def off_again() -> Iterator[None]:
    yield
    tracing.stop()


def start(sink: Sink, ratio: float = 1) -> None:
    tracing.start(Recorder({"service.name": "worker"}, SpanQueue(sink, every_s=60), sample_ratio=ratio))


def test_a_receiver_gets_spans_with_their_parents_attributes_and_failures(receiver: Receiver) -> None:
    start(HttpSink(receiver.url))
    with (
        pytest.raises(ValueError, match="no"),
        tracing.received({}, message_id="m") as outer,
        tracing.span("open", bytes=7),
    ):
        raise ValueError("no, https://host/file?signature=secret")
    tracing.stop()
    (path, headers, body) = receiver.requests[0]
    assert path == "/v1/traces"
    assert (headers["content-type"], headers["content-encoding"]) == ("application/json", "gzip")
    assert "secret" not in gzip.decompress(body).decode()
    (resource,) = json.loads(gzip.decompress(body))["resourceSpans"]
    assert resource["resource"]["attributes"] == [{"key": "service.name", "value": {"stringValue": "worker"}}]
    inner, whole = receiver.spans()
    assert (inner["name"], whole["name"]) == ("open", "receive")
    assert inner["parentSpanId"] == whole["spanId"]
    assert inner["traceId"] == whole["traceId"] == outer.trace_id
    assert inner["attributes"] == [{"key": "bytes", "value": {"intValue": "7"}}]
    assert inner["status"] == {"code": 2, "message": "ValueError: no, https://host/file?…"}
    assert int(inner["startTimeUnixNano"]) <= int(inner["endTimeUnixNano"])


@pytest.mark.parametrize("statuses", [[503], [429], [502], [504]])
def test_a_busy_receiver_is_asked_again(receiver: Receiver, statuses: list[int]) -> None:
    receiver.statuses = statuses
    start(HttpSink(receiver.url))
    with tracing.span("open"):
        pass
    tracing.stop()
    assert [span["name"] for span in receiver.spans()] == ["open"]


def test_a_receiver_that_refuses_is_in_the_log(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    receiver.statuses = [400]
    start(HttpSink(receiver.url))
    with tracing.span("open"):
        pass
    with caplog.at_level(logging.WARNING):
        tracing.stop()
    assert "answers 400" in caplog.text
    assert "1 of 1 spans were not delivered" in caplog.text


@pytest.mark.parametrize("silent", [True, False], ids=["never answers", "refuses connections"])
def test_a_receiver_that_is_away_holds_nothing_up(silent: bool, caplog: pytest.LogCaptureFixture) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1/traces"
        if not silent:
            listening.close()
        start(HttpSink(url))
        began = time.monotonic()
        for _ in range(5_000):
            with tracing.span("open"):
                pass
        worked = time.monotonic()
        with caplog.at_level(logging.WARNING):
            tracing.stop()
        ended = time.monotonic()
    assert worked - began < 5
    assert ended - worked < CLOSE_S + 1
    assert "5000 of 5000 spans were not delivered" in caplog.text


def test_what_xray_gets_is_signed_as_its_service(receiver: Receiver) -> None:
    credentials = Credentials("AKIDEXAMPLE", "secret", "session")
    start(HttpSink(receiver.url, xray_signer(credentials, "eu-west-1")))
    with tracing.span("open"):
        pass
    tracing.stop()
    (_, headers, body) = receiver.requests[0]
    assert "/eu-west-1/xray/aws4_request" in headers["authorization"]
    assert headers["x-amz-security-token"] == "session"
    signed = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    asked = AWSRequest("POST", receiver.url, {name: headers[name] for name in signed}, data=body)
    asked.context["timestamp"] = headers["x-amz-date"]
    auth = SigV4Auth(credentials, "xray", "eu-west-1")
    expected = auth.signature(auth.string_to_sign(asked, auth.canonical_request(asked)), asked)
    assert headers["authorization"].endswith(f"Signature={expected}")


def test_two_processes_may_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "traces.jsonl"
    for service in ("orchestrator", "worker"):
        queue = SpanQueue(FileSink(path), every_s=60)
        tracing.start(Recorder({"service.name": service}, queue, sample_ratio=1))
        with tracing.span(service):
            pass
        tracing.stop()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    names = [line["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"] for line in lines]
    assert names == ["orchestrator", "worker"]


def test_a_ratio_of_nothing_sends_nothing_and_still_names_the_trace(receiver: Receiver) -> None:
    start(HttpSink(receiver.url), ratio=0)
    with tracing.received({}) as span, tracing.span("open"):
        assert span.trace_id
        assert span.trace_id in tracing.carrier()["traceparent"]
        assert not int(tracing.carrier()["traceparent"][-2:], 16) & 1
    sampled = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    with tracing.received(sampled):
        pass
    tracing.stop()
    assert [span["traceId"] for span in receiver.spans()] == ["4bf92f3577b34da6a3ce929d0e0e4736"]
