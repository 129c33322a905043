"""Signed calls to one AWS endpoint over kept connections, with retries, and with many in flight per thread.

`start` sends a request and returns at once; `finish` waits for its answer. A thread that starts a few before
it finishes the first hides the service's latency without a thread per request, which the interpreter's lock
would make slower, not faster.
"""

import random
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from runtime.worker.aws.endpoint import Endpoint
from runtime.worker.aws.errors import AwsError, AwsUnreachable, error_of
from runtime.worker.aws.signing import UNSIGNED_PAYLOAD, Signer
from runtime.worker.bounds.scope import Scope
from runtime.worker.http.connect import open_wire
from runtime.worker.http.connection import Buffer, Head, Wire, WireError

_READ_TIMEOUT_S = 60.0
_ATTEMPTS = 7
_BACK_OFF_BASE_S = 0.1
_BACK_OFF_MAX_S = 5.0
_ANSWER_LIMIT = 32 * 1024 * 1024


@dataclass(slots=True)
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
    wire: Wire | None
    error: WireError | None


@dataclass(slots=True)
class Answer:
    headers: Mapping[str, str]
    body: bytes


class AwsClient:
    """Thread-safe. `on_first_use(operation)` is called once per operation, before its first request."""

    def __init__(
        self,
        endpoint: Endpoint,
        signer: Signer,
        tls: ssl.SSLContext | None,
        on_first_use: Callable[[str], None],
    ) -> None:
        self.endpoint = endpoint
        self._signer = signer
        self._tls = tls if endpoint.tls else None
        self._on_first_use = on_first_use
        self._used: set[str] = set()
        self._lock = threading.Lock()
        self._idle: deque[Wire] = deque()

    def call(self, call: Call, scope: Scope) -> Answer:
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

    def finish(self, exchange: Exchange, scope: Scope) -> Answer:
        """Wait for the answer, with retries. Raises AwsError, AwsUnreachable, or what the scope ended
        with.
        """
        attempt = 1
        while True:
            reused = exchange.wire is not None and exchange.wire.reused
            try:
                return self._receive(exchange, scope)
            except WireError as error:
                scope.check()
                failure: Exception = AwsUnreachable(
                    exchange.call.operation,
                    f"no answer from {self.endpoint.host} after {attempt} attempts: {error}",
                )
                if reused:  # the other side may close an idle connection whenever it likes: no fault of its
                    exchange = self._send(exchange.call, scope, fresh=True)
                    continue
            except AwsError as error:
                if not error.retryable:
                    raise
                failure = error
            if attempt >= _ATTEMPTS:
                raise failure
            pause = min(_BACK_OFF_MAX_S, _BACK_OFF_BASE_S * 2**attempt)
            scope.wait(random.uniform(0, pause))  # noqa: S311 -- spreads retries, guards nothing
            attempt += 1
            exchange = self._send(exchange.call, scope, fresh=False)

    def drop(self, exchange: Exchange, scope: Scope) -> None:
        """Give up on an exchange without reading its answer."""
        if exchange.wire is not None:
            scope.untrack(exchange.wire)
            exchange.wire.close()

    def _send(self, call: Call, scope: Scope, *, fresh: bool) -> Exchange:
        wire: Wire | None = None
        try:
            head = self._signer.head(call.method, call.path, call.headers, call.payload_hash, call.length)
            wire = self._take() if not fresh else None
            if wire is None:
                wire = self._connect(scope)
            scope.track(wire)
            wire.send(head, call.body)
        except WireError as error:
            # What was refused early (an error answer before all was sent) is read by `_receive`, if it came.
            return Exchange(call, wire, error)
        return Exchange(call, wire, None)

    def _receive(self, exchange: Exchange, scope: Scope) -> Answer:
        wire = exchange.wire
        if wire is None:
            raise exchange.error or WireError("not sent")
        keep = False
        try:
            if exchange.error is not None:
                raise exchange.error
            head: Head = wire.read_head(bodyless=exchange.call.method == "HEAD")
            body = wire.read_all(_ANSWER_LIMIT)
            keep = wire.reusable
        finally:
            scope.untrack(wire)
            if keep and not scope.ended:
                wire.reused = True
                wire.idle_since = time.monotonic()
                self._idle.append(wire)
            else:
                wire.close()
        if 200 <= head.status < 300:
            return Answer(head.headers, body)
        raise error_of(exchange.call.operation, head.status, body)

    def _take(self) -> Wire | None:
        while True:
            try:
                wire = self._idle.pop()  # the most recently used: the least likely to have been closed
            except IndexError:
                return None
            if wire.looks_alive():
                return wire
            wire.close()

    def _connect(self, scope: Scope) -> Wire:
        host, port = self.endpoint.host, self.endpoint.port
        return open_wire(host, port, scope, timeout_s=_READ_TIMEOUT_S, tls=self._tls, name=host)

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()
