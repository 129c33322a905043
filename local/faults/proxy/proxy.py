"""A proxy on loopback between the services and the AWS server, which breaks calls by seeded random_source.

It also enforces what the server behind it does not (`s3_rules`, `receipts`) and journals what AWS accepted.
`python -m local.faults.proxy.proxy http://127.0.0.1:5000 --seed 7` stands alone.
"""

import argparse
import http.client
import select
import socket
import struct
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Self

from local.faults.proxy import answers
from local.faults.proxy.exchange import Request, Response
from local.faults.proxy.gates import DynamoDbEndpoint, EventsEndpoint, S3Endpoint
from local.faults.proxy.journal import Journal
from local.faults.proxy.operations import identify
from local.faults.proxy.random_source import NOT_APPLIED, Fault, RandomSource
from local.faults.proxy.receipts import TWELVE_HOURS_S, ReceiptRules
from local.faults.proxy.resigning import Keys
from local.faults.proxy.sabotage import Sabotage
from local.faults.proxy.sqs import HandedOut, SqsEndpoint
from local.faults.proxy.upstream import Upstream
from local.http_server import PatientHttpServer

# A request with this header meets no faults: the campaign's own producer and operator.
UNDISTURBED = "X-Undisturbed"


class NoReply(Exception):
    """The connection ends without an answer: after `hang_s` by a close, or at once by a reset."""

    def __init__(self, *, hang_s: float = 0.0, reset: bool = False) -> None:
        super().__init__("no answer")
        self.hang_s, self.reset = hang_s, reset


class FaultProxy:
    """A running proxy; use as a context manager.

    upstream: the server's URL. cap_s: how long SQS lets a receipt live (12 hours in AWS).
    keys: the callers' secrets by access key, for a server that checks signatures. hang_s: how long a
    time-out takes. broken: a sabotage, in tests of the checker. handed_out: told of each message that a
    consumer gets.
    """

    def __init__(
        self,
        upstream: str,
        random_source: RandomSource,
        journal: Journal,
        *,
        keys: Keys | None = None,
        cap_s: float = TWELVE_HOURS_S,
        hang_s: float = 2.0,
        broken: Sabotage | None = None,
        tasks_queue: str = "download-tasks",
        handed_out: HandedOut = lambda _user_agent, _message: None,
        port: int = 0,
    ) -> None:
        way = Upstream(upstream, keys or {})
        self.random_source = random_source
        self.hang_s = hang_s
        self._other = way
        self._sqs = SqsEndpoint(
            way, ReceiptRules(cap_s), broken=broken, tasks_queue=tasks_queue, handed_out=handed_out
        )
        self._s3 = S3Endpoint(way, journal, broken)
        self._dynamodb = DynamoDbEndpoint(way, broken)
        self._events = EventsEndpoint(way, journal)
        self._http = _Server(("127.0.0.1", port), self)
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.05,), name="fault-proxy", daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, request: Request, client: socket.socket) -> Response:
        """The response that the client gets. Raises NoReply when it gets nothing."""
        fault = None if UNDISTURBED in request.headers else self.random_source.decide(request.operation)
        if fault and fault.kind in NOT_APPLIED:
            self.random_source.happened(request.operation, fault)
            return self._instead(request, fault)
        response = self._serve(request, fault, client)
        if fault:
            self.random_source.happened(request.operation, fault)
        match fault.kind if fault else None:
            case "server-error-after":
                return answers.server_error(request.operation)
            case "timeout-after":
                raise NoReply(hang_s=self.hang_s)
            case "reset-after":
                raise NoReply(reset=True)
        return response

    def _instead(self, request: Request, fault: Fault) -> Response:
        """The answer of a fault that keeps the call from being applied."""
        match fault.kind:
            case "throttled":
                return answers.throttled(request.operation)
            case "server-error":
                return answers.server_error(request.operation)
            case "timeout-before":
                raise NoReply(hang_s=self.hang_s)
            case "reset-before":
                raise NoReply(reset=True)
            case "error-in-200":
                body = answers.s3_error_body("InternalError", "We encountered an internal error.")
                return Response(200, [("Content-Type", "application/xml")], body)
            case "conflict":
                items = len(request.json()["TransactItems"])
                return answers.transaction_cancelled(
                    "TransactionConflict", "Transaction is ongoing for the item", items
                )
        raise AssertionError(fault.kind)

    def _serve(self, request: Request, fault: Fault | None, client: socket.socket) -> Response:
        match request.operation.service:
            case "sqs":
                return self._sqs.serve(request, fault, lambda: _has_hung_up(client))
            case "s3":
                return self._s3.serve(request, fault)
            case "dynamodb":
                return self._dynamodb.serve(request, fault)
            case "events":
                return self._events.serve(request, fault)
        return self._other.send(request)


def _has_hung_up(client: socket.socket) -> bool:
    readable, _, _ = select.select([client], [], [], 0)
    try:
        return bool(readable) and not client.recv(1, socket.MSG_PEEK)
    except OSError:
        return True


class _Server(PatientHttpServer):
    def __init__(self, address: tuple[str, int], proxy: FaultProxy) -> None:
        self.proxy = proxy
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _exchange(self) -> None:
        request = Request(
            method=self.command,
            target=self.path,
            headers=self.headers,
            body=self._body(),
            operation=identify(self.command, self.path, self.headers),
        )
        try:
            self._send(self.server.proxy.answer(request, self.connection))
        except NoReply as silence:
            self._hang_up(silence)
        except (OSError, http.client.HTTPException) as error:
            # The server behind is gone or said nonsense: a client sees a connection that ends.
            self.log_error("no answer from the server behind the proxy: %r", error)
            self.close_connection = True

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _exchange  # noqa: N815

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while length := int(self.rfile.readline().partition(b";")[0], 16):
            pieces.append(self.rfile.read(length))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(pieces)

    def _send(self, response: Response) -> None:
        self.send_response_only(response.status)
        framed = {name.lower() for name, _ in response.headers}
        for name, value in response.headers:
            self.send_header(name, value)
        # An answer to HEAD announces the length that GET would have.
        if "content-length" not in framed:
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    def _hang_up(self, silence: NoReply) -> None:
        time.sleep(silence.hang_s)
        if silence.reset:
            # Lingering for zero seconds makes the kernel send RST instead of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Silent: the random_source count and the journal records."""


DEFAULT_RATES = {
    "throttled": 0.02, "server-error": 0.01, "server-error-after": 0.005, "timeout-before": 0.003,
    "timeout-after": 0.003, "reset-before": 0.005, "reset-after": 0.005, "partial": 0.05, "conflict": 0.02,
    "duplicate": 0.04, "receipt-expired": 0.02, "shuffled": 0.1, "withheld": 0.02, "corrupted": 0.02,
    "error-in-200": 0.05,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.faults.proxy.proxy", description=__doc__)
    parser.add_argument("upstream", help="URL of the server behind, for instance http://127.0.0.1:5000")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--receipt-cap", type=float, default=TWELVE_HOURS_S, metavar="SECONDS")
    arguments = parser.parse_args()
    random_source = RandomSource(seed=arguments.seed, rates=DEFAULT_RATES)
    journal = Journal(Path(tempfile.mkdtemp(prefix="faults-")) / "journal.jsonl")
    with FaultProxy(
        arguments.upstream, random_source, journal, cap_s=arguments.receipt_cap, port=arguments.port
    ) as proxy:
        print(f"export AWS_ENDPOINT_URL={proxy.url}", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            for kind, count in sorted(random_source.count.items()):
                print(f"{count:6} {kind}")


if __name__ == "__main__":
    main()
