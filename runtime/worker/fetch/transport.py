"""GET over guarded connections: redirects followed by hand, each one judged like the first URL."""

import contextlib
import ssl
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin

from runtime.worker.bounds.scope import Scope
from runtime.worker.fetch.guard import ForbiddenDownload, HostGuard
from runtime.worker.http.connect import open_wire
from runtime.worker.http.connection import Head, Wire, WireError

_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_IDLE_S = 10.0
_MAX_IDLE = 16
_ERROR_BODY_LIMIT = 64 * 1024

# RFC 9111, section 5.2.1: revalidate with the origin, and keep nothing of it; the second is for HTTP/1.0.
_PAST_CACHES = {"Cache-Control": "no-cache, no-store", "Pragma": "no-cache"}

Origin = tuple[str, str, int]


@dataclass(slots=True)
class Response:
    """An answer whose body is still on the connection."""

    url: str
    head: Head
    wire: Wire

    def readinto(self, view: memoryview) -> int:
        return self.wire.readinto(view)


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
    ) -> None:
        self._guard = guard
        self._headers_for = headers_for
        self._timeout_s = timeout_s
        self._tls = tls or ssl.create_default_context()
        # Only connections whose address was judged get in here.
        self._idle: dict[Origin, deque[Wire]] = defaultdict(deque)

    @contextlib.contextmanager
    def get(
        self, url: str, headers: Mapping[str, str], scope: Scope, *, anew: bool = False
    ) -> Iterator[Response]:
        """The final answer to a GET, whatever its status, for the duration of a `with` block.

        `anew`: on a fresh connection, and past the caches on the way as far as HTTP allows.

        Raises ForbiddenDownload, WireError, or what the scope ended with.
        """
        for _ in range(_MAX_REDIRECTS + 1):
            parts = self._guard.check_url(url)
            wire, head = self._ask(parts, headers, scope, anew=anew)
            try:
                location = head.headers.get("location")
                if head.status not in _REDIRECTS or not location:
                    yield Response(url, head, wire)
                    return
                url = urljoin(url, location)
            finally:
                scope.untrack(wire)
                self._keep_or_close(parts, wire, scope)
        raise ForbiddenDownload(f"the download redirects more than {_MAX_REDIRECTS} times")

    def _ask(
        self, parts: SplitResult, headers: Mapping[str, str], scope: Scope, *, anew: bool
    ) -> tuple[Wire, Head]:
        if anew:
            headers = {**headers, **_PAST_CACHES}
        while True:
            scope.check()
            wire = (None if anew else self._idle_to(parts)) or self._connect(parts, scope)
            scope.track(wire)
            try:
                wire.send(self._request(parts, headers))
                return wire, wire.read_head()
            except WireError:
                scope.untrack(wire)
                wire.close()
                scope.check()
                # A kept connection may have been closed by the other side meanwhile: that is no failure.
                if not wire.reused:
                    raise

    def _idle_to(self, parts: SplitResult) -> Wire | None:
        idle = self._idle[origin_of(parts)]
        while idle:
            try:
                wire = idle.pop()
            except IndexError:
                break
            if time.monotonic() - wire.idle_since < _MAX_IDLE_S and wire.looks_alive():
                return wire
            wire.close()
        return None

    def _keep_or_close(self, parts: SplitResult, wire: Wire, scope: Scope) -> None:
        idle = self._idle[origin_of(parts)]
        if wire.reusable and not scope.ended and len(idle) < _MAX_IDLE:
            wire.reused, wire.idle_since = True, time.monotonic()
            idle.append(wire)
        else:
            wire.close()

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
        text = f"GET {_ascii(target)} HTTP/1.1\r\n{lines}\r\n"
        return text.encode("latin-1")

    def _connect(self, parts: SplitResult, scope: Scope) -> Wire:
        host, port = parts.hostname or "", parts.port or _default_port(parts)
        tls = self._tls if parts.scheme == "https" else None
        last: WireError | None = None
        try:
            addresses = self._guard.addresses(host, port)
        except OSError as error:
            raise WireError(f"the name {host} cannot be resolved: {error}") from error
        for address in addresses:
            try:
                return open_wire(str(address), port, scope, timeout_s=self._timeout_s, tls=tls, name=host)
            except WireError as error:
                last = error
        raise last or WireError(f"{host} has no address")


def origin_of(parts: SplitResult) -> Origin:
    """Scheme, host and port: what a kept connection may be used for again."""
    return parts.scheme, (parts.hostname or "").lower(), parts.port or _default_port(parts)


def read_error(response: Response) -> bytes:
    """The beginning of an error's body, for the log."""
    return response.wire.read_all(_ERROR_BODY_LIMIT)


def _default_port(parts: SplitResult) -> int:
    return 443 if parts.scheme == "https" else 80


def _ascii(target: str) -> str:
    """The request target with anything that could end the line, or is not ASCII, percent-encoded."""
    return "".join(
        char if "!" <= char <= "~" else "".join(f"%{byte:02X}" for byte in char.encode()) for char in target
    )
