"""A service that answers and closes before it has read the request: the answer is read nevertheless."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

import pytest
import trustme

from runtime.shared.http.connection import HttpConnection
from runtime.shared.http.errors import TransferError

ANSWER = b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\r\n"
BODY = b'{"code":"AccessGone"}'
SIZE = 30_000_000  # more than both sockets' buffers hold
TIMES = 5


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(params=["plain", "tls"])
def dial(request: pytest.FixtureRequest, authority: trustme.CA) -> Iterator[Callable[..., HttpConnection]]:
    """A connection to a service that does `habit(socket)` for its only request."""
    tls = request.param == "tls"
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(theirs)
    authority.configure_trust(ours)
    opened: list[HttpConnection] = []
    threads: list[threading.Thread] = []

    def connect(habit: Callable[[socket.socket], None]) -> HttpConnection:
        listener = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            sock, _ = listener.accept()
            # As every HTTP server does; else the answer waits behind the session tickets and dies with them.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with listener, theirs.wrap_socket(sock, server_side=True) if tls else sock as wrapped:
                habit(wrapped)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        sock = socket.create_connection(listener.getsockname())
        opened.append(
            HttpConnection(ours.wrap_socket(sock, server_hostname="localhost") if tls else sock, timeout_s=20)
        )
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def closes_at_once(sock: socket.socket) -> None:
    sock.recv(1000)
    sock.sendall(ANSWER + BODY)


def never_looks(sock: socket.socket) -> None:
    sock.sendall(ANSWER + BODY)


def shuts_its_side_first(sock: socket.socket) -> None:
    sock.recv(1000)
    sock.sendall(ANSWER + BODY)
    socket.socket.shutdown(sock, socket.SHUT_WR)


def answers_in_two_pieces(sock: socket.socket) -> None:
    sock.recv(1000)
    sock.sendall(ANSWER[:30])
    sock.sendall(ANSWER[30:] + BODY)


def reads_some(sock: socket.socket) -> None:
    for _ in range(10):
        sock.recv(65_536)
    sock.sendall(ANSWER + BODY)


def reads_all(sock: socket.socket) -> None:
    read = b"" if not (head := sock.recv(65_536)) else head.partition(b"\r\n\r\n")[2]
    left = SIZE - len(read)
    while left > 0:
        left -= len(sock.recv(min(left, 1_000_000)))
    sock.sendall(ANSWER + BODY)


@pytest.mark.parametrize(
    "habit",
    [closes_at_once, never_looks, shuts_its_side_first, answers_in_two_pieces, reads_some, reads_all],
)
def test_the_answer_is_read(
    dial: Callable[..., HttpConnection], habit: Callable[[socket.socket], None]
) -> None:
    for _ in range(TIMES):
        connection = dial(habit)
        head = f"PUT /object HTTP/1.1\r\nHost: localhost\r\nContent-Length: {SIZE}\r\n\r\n".encode()
        try:
            connection.send(head, [bytes(1_000_000)] * (SIZE // 1_000_000))
        except TransferError:
            assert habit is not reads_all
            answer = connection.early_head()
        else:
            assert habit is reads_all
            answer = connection.read_head()
        assert answer is not None
        assert (answer.status, connection.read_all(100)) == (403, BODY)


def test_a_close_without_an_answer_is_what_it_is(dial: Callable[..., HttpConnection]) -> None:
    connection = dial(lambda sock: None)
    with pytest.raises(TransferError, match="while sending"):
        connection.send(b"PUT / HTTP/1.1\r\nContent-Length: 30000000\r\n\r\n", [bytes(1_000_000)] * 30)
    with contextlib.suppress(TransferError):
        assert connection.early_head() is None
