"""Opening a connection so that the end of the work ends the attempt too."""

import contextlib
import socket
import ssl

from runtime.shared.http.connection import HttpConnection
from runtime.shared.http.errors import TransferError
from runtime.shared.scope import Scope

_CONNECT_TIMEOUT_S = 10.0


class _Opening:
    """A socket that is being connected; `abort` wakes whoever waits for that."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def abort(self) -> None:
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


def open_connection(
    address: str,
    port: int,
    scope: Scope,
    *,
    timeout_s: float,
    tls: ssl.SSLContext | None,
    name: str,
    connect_timeout_s: float = _CONNECT_TIMEOUT_S,
) -> HttpConnection:
    """A connection to `address`, a name or an IP address; TLS, if any, is checked for `name`.

    `timeout_s` is for each transfer afterwards; connecting may take no longer than either. Raises
    TransferError, or what the scope ended with.
    """
    last: OSError | None = None
    try:
        candidates = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise TransferError(f"the name {address} cannot be resolved: {error}") from error
    for family, kind, protocol, _, target in candidates:
        sock = socket.socket(family, kind, protocol)
        opening = _Opening(sock)
        scope.track(opening)
        try:
            sock.settimeout(min(connect_timeout_s, timeout_s))
            sock.connect(target)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls is not None:
                sock = opening.sock = tls.wrap_socket(sock, server_hostname=name)
            return HttpConnection(sock, timeout_s)
        except OSError as error:
            sock.close()
            scope.check()
            last = error
        finally:
            scope.untrack(opening)
    raise TransferError(f"connecting to {address}:{port} failed: {last}") from last
