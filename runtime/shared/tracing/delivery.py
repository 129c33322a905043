"""Where spans go: an OTLP/HTTP receiver, X-Ray's own (signed), or a file; in the background, in batches.

OTLP's JSON encoding: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding. Receivers take it as
they take protobuf (CloudWatch's "OTLP Endpoints" lists both), and a file of it has a request on each line.
"""

import gzip
import json
import logging
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError
from opentelemetry.exporter.otlp.json.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

QUEUE_SPANS = 4_096
"""Waiting at most; what is older is dropped for what is newer."""
CLOSE_S = 2.0
_BATCH_SPANS = 512
_CONNECT_S, _READ_S = 3.0, 5.0
_BUSY = (429, 502, 503, 504)  # "OTLP/HTTP Response", retryable status codes
_LONGEST_WAIT_S = 30

_log = logging.getLogger(__name__)

Sink = Callable[[bytes], None]
"""Takes one request; raises OSError, HTTPError or BotoCoreError when it is lost."""


class SpanQueue(BatchSpanProcessor):
    """Spans on their way to a sink. Lost ones are counted, and said in the log."""

    def __init__(self, sink: Sink, *, every_s: float) -> None:
        self._exporter = _Exporter(sink)
        self._lock = threading.Lock()
        self._ended = 0
        super().__init__(
            self._exporter,
            max_queue_size=QUEUE_SPANS,
            max_export_batch_size=_BATCH_SPANS,
            schedule_delay_millis=every_s * 1_000,
        )

    def on_end(self, span: ReadableSpan) -> None:
        if span.context is not None and span.context.trace_flags.sampled:
            with self._lock:
                self._ended += 1
        super().on_end(span)

    def close(self) -> None:
        """Send what is waiting, for two seconds at most."""
        # The SDK's own shutdown waits for 30; a receiver that is away must not hold a stopping task up.
        closing = threading.Thread(target=self.shutdown, name="close-tracing", daemon=True)
        closing.start()
        closing.join(CLOSE_S)
        with self._lock:
            lost = self._ended - self._exporter.delivered
        if lost:
            _log.warning("%d of %d spans were not delivered", lost, self._ended)


class _Exporter(SpanExporter):
    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.delivered = 0
        self._lost = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        document = encode_spans(spans).to_dict()
        try:
            self._sink(json.dumps(document, separators=(",", ":")).encode())
        except (OSError, urllib3.exceptions.HTTPError, BotoCoreError) as error:
            self._lost += len(spans)
            _log.warning("%d spans were not delivered, %d so far: %s", len(spans), self._lost, error)
            return SpanExportResult.FAILURE
        self.delivered += len(spans)
        return SpanExportResult.SUCCESS


class FileSink:
    """A request on each line. Several processes may write to one file: each line is one write at its end."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def __call__(self, body: bytes) -> None:
        os.write(self._file, body + b"\n")


class HttpSink:
    """OTLP/HTTP. `sign` returns the headers that prove to the receiver who we are."""

    def __init__(self, url: str, sign: Callable[[str, bytes], dict[str, str]] | None = None) -> None:
        self._url = url
        self._sign = sign
        self._http = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=_CONNECT_S, read=_READ_S),
            retries=urllib3.Retry(
                total=2,
                redirect=False,
                allowed_methods=None,
                status_forcelist=_BUSY,
                backoff_factor=0.5,
                retry_after_max=_LONGEST_WAIT_S,
            ),
        )

    def __call__(self, body: bytes) -> None:
        packed = gzip.compress(body, compresslevel=1)
        headers = {"content-type": "application/json", "content-encoding": "gzip"}
        if self._sign is not None:
            headers |= self._sign(self._url, packed)
        answer = self._http.request("POST", self._url, body=packed, headers=headers)
        if not 200 <= answer.status < 300:
            raise OSError(f"{self._url} answers {answer.status}: {answer.data[:200]!r}")


def xray_url(region: str) -> str:
    """ "OTLP Endpoints" in the CloudWatch User Guide."""
    return f"https://xray.{region}.amazonaws.com/v1/traces"


def xray_signer(credentials: Credentials, region: str) -> Callable[[str, bytes], dict[str, str]]:
    """Signs by Signature Version 4 as the service `xray`."""

    def sign(url: str, body: bytes) -> dict[str, str]:
        request = AWSRequest("POST", url, data=body)
        # Frozen: keys that are renewed in the middle of a signature would not match each other.
        SigV4Auth(credentials.get_frozen_credentials(), "xray", region).add_auth(request)
        return dict(request.headers.items())

    return sign
