"""Over TLS as over plain sockets: the transport's own steps differ there."""

import datetime as dt
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from runtime.shared.consumer.cancellation import Cancellation
from runtime.worker.bounds.scope import Scope
from runtime.worker.fetch.guard import HostGuard
from runtime.worker.fetch.transport import Transport
from runtime.worker.http.connect import open_connection
from runtime.worker.http.errors import TransferError, TransferTimeout

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
