"""Over TLS as over plain sockets: the transport's own steps differ there."""

import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from runtime.shared.consumer.cancellation import Cancellation
from runtime.shared.http.connect import open_connection
from runtime.shared.http.errors import TransferError, TransferTimeout
from runtime.shared.scope import Scope
from runtime.worker.fetch.guard import HostGuard
from runtime.worker.fetch.transport import Transport

BODY = bytes(range(256)) * 8_192


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "cert.pem"
    path.write_bytes(
        built.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@pytest.fixture(scope="module")
def port(certificate: Path) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None: ...

        def do_GET(self) -> None:
            if self.path == "/silent":
                threading.Event().wait(5)
            self._answer(BODY)

        def do_PUT(self) -> None:
            self._answer(self.rfile.read(int(self.headers["Content-Length"])))

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture
def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate))


@pytest.fixture
def scope() -> Scope:
    return Scope(Cancellation())


@pytest.mark.parametrize("size", [0, 5, 2_000_000])
def test_bodies_go_both_ways_and_connections_are_kept(
    port: int, trusting: ssl.SSLContext, scope: Scope, size: int
) -> None:
    connection = open_connection("127.0.0.1", port, scope, timeout_s=5, tls=trusting, name="127.0.0.1")
    body: list[bytes | memoryview] = [BODY[: size // 2], memoryview(BODY)[: size - size // 2]]
    for _ in range(3):
        connection.idle_since = 0.0
        assert connection.looks_alive()
        connection.send(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size, body)
        assert connection.read_head().status == 200
        assert connection.read_all(10_000_000) == b"".join(body)
        assert connection.reusable
    connection.close()


def test_another_names_certificate_is_refused(port: int, trusting: ssl.SSLContext, scope: Scope) -> None:
    with pytest.raises(TransferError, match="certificate"):
        open_connection("127.0.0.1", port, scope, timeout_s=5, tls=trusting, name="example.com")
    with pytest.raises(TransferError, match="certificate"):
        open_connection(
            "127.0.0.1", port, scope, timeout_s=5, tls=ssl.create_default_context(), name="127.0.0.1"
        )


def test_silence_ends_in_a_time_out(port: int, trusting: ssl.SSLContext, scope: Scope) -> None:
    connection = open_connection("127.0.0.1", port, scope, timeout_s=0.3, tls=trusting, name="127.0.0.1")
    connection.send(b"GET /silent HTTP/1.1\r\nHost: x\r\n\r\n")
    with pytest.raises(TransferTimeout):
        connection.read_head()
    connection.close()


def test_a_blocked_read_is_woken(port: int, trusting: ssl.SSLContext, scope: Scope) -> None:
    connection = open_connection("127.0.0.1", port, scope, timeout_s=30, tls=trusting, name="127.0.0.1")
    connection.send(b"GET /silent HTTP/1.1\r\nHost: x\r\n\r\n")
    threading.Timer(0.2, connection.abort).start()
    with pytest.raises(TransferError):
        connection.read_head()
    connection.close()


def test_downloads(port: int, trusting: ssl.SSLContext, scope: Scope) -> None:
    guard = HostGuard(("127.0.0.1",), allow_private=True)
    transport = Transport(guard, lambda url: {}, timeout_s=5, tls=trusting)
    for _ in range(2):
        with transport.get(f"https://127.0.0.1:{port}/x", {}, scope) as response:
            found = bytearray(len(BODY))
            view = memoryview(found)
            while count := response.readinto(view):
                view = view[count:]
            assert bytes(found) == BODY


Serve = Callable[[socket.socket, ssl.SSLContext], None]


def read_request(peer: socket.socket) -> None:
    data = b""
    while b"\r\n\r\n" not in data:
        data += peer.recv(4_096)


def in_plain_text(peer: socket.socket, _: ssl.SSLContext) -> None:
    peer.recv(1_000)
    peer.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def closes_in_the_handshake(peer: socket.socket, _: ssl.SSLContext) -> None:
    peer.recv(10)


def silent_in_the_handshake(peer: socket.socket, _: ssl.SSLContext) -> None:
    peer.recv(1_000)
    peer.settimeout(5)
    peer.recv(1_000)


def answering(answer: bytes) -> Serve:
    """Closes the socket behind the answer without TLS's own goodbye."""

    def serve(peer: socket.socket, context: ssl.SSLContext) -> None:
        with context.wrap_socket(peer, server_side=True) as tls:
            read_request(tls)
            tls.sendall(answer)

    return serve


@contextlib.contextmanager
def tls_server(certificate: Path, serve: Serve) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer, contextlib.suppress(OSError):
                serve(peer, context)

    thread = threading.Thread(target=run)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@pytest.mark.parametrize(
    "serve",
    [in_plain_text, closes_in_the_handshake, silent_in_the_handshake],
    ids=lambda serve: serve.__name__,
)
def test_a_handshake_that_fails_is_a_transfer_error(
    certificate: Path, trusting: ssl.SSLContext, scope: Scope, serve: Serve
) -> None:
    with tls_server(certificate, serve) as port, pytest.raises(TransferError, match="connecting to"):
        open_connection("127.0.0.1", port, scope, timeout_s=0.3, tls=trusting, name="127.0.0.1")


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        # Many servers forget it, and an archive shows by itself whether it is whole.
        (b"HTTP/1.1 200 OK\r\n\r\nall of it", b"all of it"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", None),
    ],
)
def test_tls_that_ends_without_goodbye(
    certificate: Path, trusting: ssl.SSLContext, scope: Scope, answer: bytes, body: bytes | None
) -> None:
    with tls_server(certificate, answering(answer)) as port:
        connection = open_connection("127.0.0.1", port, scope, timeout_s=5, tls=trusting, name="127.0.0.1")
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.read_head().status == 200
        if body is None:
            with pytest.raises(TransferError):
                connection.read_all(100)
        else:
            assert connection.read_all(100) == body
        connection.close()


def test_ipv6(scope: Scope) -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    listener = socket.create_server(("::1", 0), family=socket.AF_INET6)

    def serve() -> None:
        peer, _ = listener.accept()
        with peer:
            read_request(peer)
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    thread = threading.Thread(target=serve)
    thread.start()
    transport = Transport(
        HostGuard(("::1",), allow_http=True, allow_private=True), lambda url: {}, timeout_s=5
    )
    with transport.get(f"http://[::1]:{listener.getsockname()[1]}/x", {}, scope) as response:
        assert response.connection.read_all(10) == b"ok"
    thread.join()
    listener.close()
