"""The way to the server behind the proxy: one kept connection for each thread."""

import http.client
import threading
from urllib.parse import urlsplit

from local.faults.proxy.exchange import Request, Response
from local.faults.proxy.resigning import Keys, sign_again

_HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "transfer-encoding",
    "expect",
    "content-length",
    "proxy-connection",
}
_TIMEOUT_S = 60.0


class Upstream:
    """Sends requests as they came, with the client's own Host, which its signature covers.

    A request that was changed on the way is signed again for its caller, if `keys` knows the secret.
    """

    def __init__(self, url: str, keys: Keys) -> None:
        self._netloc = urlsplit(url).netloc
        self._keys = keys
        self._kept = threading.local()

    def send(self, request: Request) -> Response:
        """The server's answer, whole. Raises OSError or http.client.HTTPException when there is none."""
        if request.changed:
            sign_again(request, self._keys)
        connection = getattr(self._kept, "connection", None)
        if connection is not None:
            try:
                return self._exchange(connection, request)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                # The server let the idle connection go before it read this request.
                connection.close()
        connection = http.client.HTTPConnection(self._netloc, timeout=_TIMEOUT_S)
        self._kept.connection = connection
        try:
            return self._exchange(connection, request)
        except BaseException:
            self._kept.connection = None
            connection.close()
            raise

    def _exchange(self, connection: http.client.HTTPConnection, request: Request) -> Response:
        connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers.items():
            if name.lower() not in _HOP_BY_HOP:
                connection.putheader(name, value)
        if request.body or request.method in ("PUT", "POST"):
            connection.putheader("Content-Length", str(len(request.body)))
        connection.endheaders(request.body or None)
        answer = connection.getresponse()
        body = answer.read()
        headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP]
        if request.method == "HEAD":
            # The length that GET would have: it is the answer, not its framing.
            headers += [(n, v) for n, v in answer.getheaders() if n.lower() == "content-length"]
        return Response(answer.status, headers, body)
