"""Signed calls to one AWS endpoint over kept connections, with retries, and with many in flight per thread.

`start` sends a request and returns at once; `finish` waits for its answer. A thread that starts a few before
it finishes the first hides the service's latency without a thread per request, which the interpreter's lock
would make slower, not faster.
"""

import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from runtime.shared.aws_client.adaptive_rate import SLOW_DOWN, AdaptiveRate
from runtime.shared.aws_client.endpoint import Endpoint
from runtime.shared.aws_client.errors import AwsError, AwsUnreachable, error_of
from runtime.shared.aws_client.sigv4 import UNSIGNED_PAYLOAD, SigV4Signer
from runtime.shared.backoff import Backoff
from runtime.shared.buffer import Buffer
from runtime.shared.http.connect import open_connection
from runtime.shared.http.connection import HttpConnection
from runtime.shared.http.errors import TransferError
from runtime.shared.http.grammar import Head
from runtime.shared.http.pool import ConnectionPool
from runtime.shared.scope import Scope
from runtime.shared.sizes import MIB

_CONNECT_TIMEOUT_S = 10.0
_READ_TIMEOUT_S = 60.0
_ATTEMPTS = 7
_BACK_OFF_BASE_S = 0.2
_BACK_OFF_MAX_S = 5.0
_SLOW_DOWN_PATIENCE_S = 300.0
_ANSWER_LIMIT = 32 * MIB


@dataclass(slots=True, kw_only=True)
class Call:
    """One request: everything needed to sign and send it, again if need be."""

    operation: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: Sequence[Buffer] = ()
    length: int = 0
    payload_hash: str = UNSIGNED_PAYLOAD


@dataclass(slots=True)
class Exchange:
    """A call that has been sent, or whose sending failed (then `finish` tries again)."""

    call: Call
    connection: HttpConnection | None
    error: TransferError | None


@dataclass(slots=True)
class Success:
    """The answer to a call that was granted."""

    headers: Mapping[str, str]
    body: bytes


class AwsClient:
    """Thread-safe. `on_first_use(operation)` is called once per operation, before its first request.

    Time-outs are in seconds of silence. `paced`: throttling lowers the rate of all threads.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        signer: SigV4Signer,
        tls: ssl.SSLContext | None,
        on_first_use: Callable[[str], None],
        *,
        connect_timeout_s: float = _CONNECT_TIMEOUT_S,
        read_timeout_s: float = _READ_TIMEOUT_S,
        paced: bool = True,
    ) -> None:
        self.endpoint = endpoint
        self._origin = endpoint.origin
        self._signer = signer
        self._tls = tls if endpoint.tls else None
        self._on_first_use = on_first_use
        self._used: set[str] = set()
        self._lock = threading.Lock()
        self._pool = ConnectionPool()
        self.rate = AdaptiveRate()
        self._paced = paced
        self._connect_timeout_s = connect_timeout_s
        self._read_timeout_s = read_timeout_s

    def call(self, call: Call, scope: Scope) -> Success:
        """Send and wait. Raises AwsError, AwsUnreachable, or what the scope ended with."""
        return self.finish(self.start(call, scope), scope)

    def start(self, call: Call, scope: Scope) -> Exchange:
        """Send the request; trouble in sending is told, or retried, by `finish`."""
        if call.operation not in self._used:
            with self._lock:
                if call.operation not in self._used:
                    self._on_first_use(call.operation)
                    self._used.add(call.operation)
        scope.check()
        return self._send(call, scope, fresh=False)

    def finish(self, exchange: Exchange, scope: Scope) -> Success:
        """Wait for the answer, with retries.

        Raises AwsError, AwsUnreachable, or what the scope ended with.
        """
        try:
            return self._receive(exchange, scope)
        except (TransferError, AwsError) as error:
            return self._try_again(exchange, error, scope)

    def _try_again(self, exchange: Exchange, error: TransferError | AwsError, scope: Scope) -> Success:
        backoff = Backoff(scope.wait, attempts=_ATTEMPTS, base_s=_BACK_OFF_BASE_S, max_s=_BACK_OFF_MAX_S)
        patient_until = time.monotonic() + _SLOW_DOWN_PATIENCE_S
        while True:
            reused = slowed = False
            if isinstance(error, AwsError):
                if not error.retryable:
                    raise error
                failure: Exception = error
                # The rate gives way, not the retries; the next request waits for its turn.
                slowed = error.code in SLOW_DOWN and time.monotonic() < patient_until
            else:
                scope.check()
                failure = AwsUnreachable(
                    exchange.call.operation,
                    f"no answer from {self.endpoint.host} after {backoff.failures + 1} attempts: {error}",
                )
                # The other side may close an idle connection whenever it likes: no fault of its.
                reused = exchange.connection is not None and exchange.connection.reused
            if not (reused or slowed) and not backoff.failed():
                raise failure
            exchange = self._send(exchange.call, scope, fresh=reused)
            try:
                return self._receive(exchange, scope)
            except (TransferError, AwsError) as again:
                error = again

    def open(self, call: Call, scope: Scope) -> "Streaming":
        """Send a request's head now, and its `length` bytes of body as they come. Nothing is tried again.

        Raises AwsUnreachable, or what the scope ended with.
        """
        exchange = self.start(call, scope)
        if exchange.error is not None and exchange.connection is not None and exchange.connection.reused:
            self.drop(exchange, scope)
            exchange = self._send(call, scope, fresh=True)
        if exchange.error is not None or exchange.connection is None:
            self.drop(exchange, scope)
            scope.check()
            raise AwsUnreachable(call.operation, f"no connection to {self.endpoint.host}: {exchange.error}")
        return Streaming(self, exchange, exchange.connection, scope)

    def answer(self, exchange: Exchange, scope: Scope) -> Success:
        """Wait for the answer once. Raises AwsError, AwsUnreachable, or what the scope ended with."""
        try:
            return self._receive(exchange, scope)
        except TransferError as error:
            scope.check()
            raise AwsUnreachable(
                exchange.call.operation, f"no answer from {self.endpoint.host}: {error}"
            ) from error

    def drop(self, exchange: Exchange, scope: Scope) -> None:
        """Give up on an exchange without reading its answer."""
        if exchange.connection is not None:
            scope.untrack(exchange.connection)
            exchange.connection.close()

    def _send(self, call: Call, scope: Scope, *, fresh: bool) -> Exchange:
        connection: HttpConnection | None = None
        self.rate.wait(scope)
        try:
            head = self._signer.head(call.method, call.path, call.headers, call.payload_hash, call.length)
            connection = None if fresh else self._pool.take(self._origin)
            if connection is None:
                connection = self._connect(scope)
            scope.track(connection)
            connection.send(head, call.body)
        except TransferError as error:
            return Exchange(call, connection, error)
        return Exchange(call, connection, None)

    def _receive(self, exchange: Exchange, scope: Scope) -> Success:
        connection = exchange.connection
        if connection is None:
            raise exchange.error or TransferError("not sent")
        read = False
        try:
            head = self._head(exchange, connection)
            body = connection.read_all(_ANSWER_LIMIT)
            read = True
        finally:
            scope.untrack(connection)
            if read and not scope.ended:
                self._pool.give(self._origin, connection)
            else:
                connection.close()
        if 200 <= head.status < 300:
            return Success(head.headers, body)
        error = error_of(exchange.call.operation, head.status, body)
        if self._paced and error.code in SLOW_DOWN:
            self.rate.slow_down()
        raise error

    def _head(self, exchange: Exchange, connection: HttpConnection) -> Head:
        if exchange.error is None:
            return connection.read_head(bodyless=exchange.call.method == "HEAD")
        # A service that refuses a request may say so and close before it has read it all.
        try:
            head = connection.early_head()
        except TransferError:
            head = None
        if head is None or head.status < 300:  # half a request cannot have been granted
            raise exchange.error
        return head

    def _connect(self, scope: Scope) -> HttpConnection:
        host, port = self.endpoint.host, self.endpoint.port
        return open_connection(
            host,
            port,
            scope,
            timeout_s=self._read_timeout_s,
            connect_timeout_s=self._connect_timeout_s,
            tls=self._tls,
            name=host,
        )

    def close(self) -> None:
        self._pool.close()


class Streaming:
    """A request whose body is sent as it comes; one thread at a time."""

    def __init__(
        self, client: AwsClient, exchange: Exchange, connection: HttpConnection, scope: Scope
    ) -> None:
        self._client = client
        self._exchange = exchange
        self._connection = connection
        self._scope = scope

    def write(self, data: Buffer) -> None:
        """Send the next bytes.

        Raises AwsError (the service did not wait for the end), AwsUnreachable, or what the scope ended with.
        """
        try:
            self._connection.send(b"", (data,))
        except TransferError as error:
            self._scope.check()
            # An answer that came before the body's end says more than the broken connection.
            self._exchange.error = error
            self._client.answer(self._exchange, self._scope)

    def finish(self) -> Success:
        """All has been sent. Raises as `write` does."""
        return self._client.answer(self._exchange, self._scope)

    def drop(self) -> None:
        """End the connection; a body that falls short of its length is no request."""
        self._client.drop(self._exchange, self._scope)
