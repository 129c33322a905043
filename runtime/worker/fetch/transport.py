"""GET over guarded connections: redirects followed by hand, each one judged like the first URL."""

import contextlib
import functools
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin

from botocore.exceptions import BotoCoreError, ClientError

from runtime.shared.http.connect import open_connection
from runtime.shared.http.connection import HttpConnection
from runtime.shared.http.errors import TransferError
from runtime.shared.http.grammar import Head
from runtime.shared.http.pool import ConnectionPool, Origin
from runtime.shared.rate import HostPermits, NoneFree
from runtime.shared.scope import Scope
from runtime.worker.fetch.guard import ForbiddenDownload, HostGuard

DEFAULT_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({300, 301, 302, 303, 307, 308})
_ERROR_BODY_LIMIT = 64 * 1024
# For one of the connections that the whole fleet may have to a host.
_LONGEST_WAIT_S = 60.0

# RFC 9111, section 5.2.1: revalidate with the origin, and keep nothing of it; the second is for HTTP/1.0.
_PAST_CACHES = {"Cache-Control": "no-cache, no-store", "Pragma": "no-cache"}


@dataclass(slots=True)
class Response:
    """An answer whose body is still on the connection."""

    url: str
    head: Head
    connection: HttpConnection

    def readinto(self, view: memoryview) -> int:
        return self.connection.readinto(view)


class Transport:
    """Makes the connections of all downloads.

    `headers_for(url)` gives the API's credentials when, and only when, the URL is on the API's own origin.
    """

    def __init__(
        self,
        guard: HostGuard,
        headers_for: Callable[[str], Mapping[str, str]],
        *,
        timeout_s: float,
        tls: ssl.SSLContext | None = None,
        max_redirects: int = DEFAULT_MAX_REDIRECTS,
        permits: HostPermits | None = None,
    ) -> None:
        self._guard = guard
        self._headers_for = headers_for
        self._timeout_s = timeout_s
        self._tls = tls or _usual_tls()
        self._max_redirects = max_redirects
        self._permits = permits
        self._pool = ConnectionPool()  # only connections whose address was judged get in here

    @contextlib.contextmanager
    def get(
        self, url: str, headers: Mapping[str, str], scope: Scope, *, anew: bool = False
    ) -> Iterator[Response]:
        """The final answer to a GET, whatever its status, for the duration of a `with` block.

        `anew`: on a fresh connection, and past the caches on the way as far as HTTP allows.

        Raises ForbiddenDownload, TransferError, or what the scope ended with.
        """
        for _ in range(self._max_redirects + 1):
            parts = self._guard.check_url(url)
            with self._permit(parts, scope):
                connection, head = self._ask(parts, headers, scope, anew=anew)
                try:
                    location = head.headers.get("location")
                    if head.status not in _REDIRECTS or not location:
                        yield Response(url, head, connection)
                        return
                    url = urljoin(url, _percent_encoded(location.encode("latin-1")))
                    with contextlib.suppress(TransferError):
                        connection.read_all(_ERROR_BODY_LIMIT)  # so that it can be used again
                finally:
                    scope.untrack(connection)
                    if scope.ended:
                        connection.close()
                    else:
                        self._pool.give(origin_of(parts), connection)
        raise ForbiddenDownload(
            f"the download redirects more than {self._max_redirects} times (DOWNLOAD_MAX_REDIRECTS)"
        )

    @contextlib.contextmanager
    def _permit(self, parts: SplitResult, scope: Scope) -> Iterator[None]:
        """One of the connections that the whole fleet may have to the host."""
        if self._permits is None:
            yield
            return
        with contextlib.ExitStack() as stack:
            try:
                host = (parts.hostname or "").lower()
                stack.enter_context(self._permits.of(host).hold(scope.wait, _LONGEST_WAIT_S))
            except NoneFree as error:
                raise TransferError(f"{error}: DOWNLOAD_CONNECTIONS_PER_HOST") from error
            except (ClientError, BotoCoreError) as error:
                raise TransferError(f"the fleet's connections cannot be counted: {error}") from error
            yield

    def _ask(
        self, parts: SplitResult, headers: Mapping[str, str], scope: Scope, *, anew: bool
    ) -> tuple[HttpConnection, Head]:
        if anew:
            headers = {**headers, **_PAST_CACHES}
        while True:
            scope.check()
            idle = None if anew else self._pool.take(origin_of(parts))
            connection = idle or self._connect(parts, scope)
            scope.track(connection)
            try:
                connection.send(self._request(parts, headers))
                return connection, connection.read_head()
            except TransferError:
                scope.untrack(connection)
                connection.close()
                scope.check()
                # A kept connection may have been closed by the other side meanwhile: that is no failure.
                if not connection.reused:
                    raise

    def _request(self, parts: SplitResult, headers: Mapping[str, str]) -> bytes:
        port = parts.port or _default_port(parts)
        host = parts.hostname or ""
        name = f"[{host}]" if ":" in host else host
        fields = {
            "Host": name if port == _default_port(parts) else f"{name}:{port}",
            "User-Agent": "export-processing",
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            **headers,
        }
        fields.update(self._headers_for(parts.geturl()))
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        text = f"GET {_percent_encoded(target.encode())} HTTP/1.1\r\n{lines}\r\n"
        return text.encode("latin-1")

    def _connect(self, parts: SplitResult, scope: Scope) -> HttpConnection:
        host, port = parts.hostname or "", parts.port or _default_port(parts)
        tls = self._tls if parts.scheme == "https" else None
        last: TransferError | None = None
        try:
            addresses = self._guard.addresses(host, port)
        except (OSError, UnicodeError) as error:
            raise TransferError(f"the name {host} cannot be resolved: {error}") from error
        for address in addresses:
            try:
                return open_connection(
                    str(address),
                    port,
                    scope,
                    timeout_s=self._timeout_s,
                    tls=tls,
                    name=host.rstrip("."),
                )
            except TransferError as error:
                last = error
        raise last or TransferError(f"{host} has no address")


@functools.cache
def _usual_tls() -> ssl.SSLContext:
    """Loading a CA bundle takes some tens of milliseconds; one serves all."""
    return ssl.create_default_context()


def origin_of(parts: SplitResult) -> Origin:
    """The server that a kept connection may be used for again."""
    return Origin(parts.scheme, (parts.hostname or "").lower(), parts.port or _default_port(parts))


def read_error(response: Response) -> bytes:
    """The beginning of an error's body, for the log."""
    return response.connection.read_all(_ERROR_BODY_LIMIT)


def _default_port(parts: SplitResult) -> int:
    return 443 if parts.scheme == "https" else 80


def _percent_encoded(target: bytes) -> str:
    """A target with anything that could end the line, or is not ASCII, percent-encoded.

    `Location` often comes in raw UTF-8; whatever its bytes are, these are the ones the server wants back.
    """
    return "".join(chr(byte) if 0x21 <= byte <= 0x7E else f"%{byte:02X}" for byte in target)
