"""What h11 makes of an answer, to be held against what our connection makes of it."""

import re
import socket
from dataclasses import dataclass

import h11

from runtime.shared.http.connection import HttpConnection
from runtime.shared.http.errors import TransferError

# Where ours differs on purpose: other versions than HTTP/1, lengths and lines beyond our bounds, controls in
# chunk extensions (which h11 passes over unread), and white space before ";", which RFC 9112 has us accept.
_STRICTER = re.compile(
    rb"HTTP/[^1]|[0-9]{19}|;[^\n]*[\x00\x0b\x0c]|;[^\n]*\r[^\n]|.{4096}|(HTTP/1.\d 1.*){16}", re.DOTALL
)
_LOOSER = re.compile(rb"[0-9A-Fa-f][ \t]+;")


@dataclass
class Reading:
    """An answer as it was understood; `fault`: that it was not."""

    status: int = 0
    headers: dict[str, str] | None = None
    body: bytes = b""
    kept: bool = False
    fault: str = ""


def ours(data: bytes, *, head: bool = False, room: int = 65_536) -> Reading:
    """Through a real socket whose other end sends `data` and closes."""
    here, there = socket.socketpair()
    with here, there:
        there.sendall(data)
        there.shutdown(socket.SHUT_WR)
        connection = HttpConnection(here, 5)
        try:
            answer = connection.read_head(bodyless=head)
            body = bytearray()
            buffer = memoryview(bytearray(room))
            while count := connection.readinto(buffer):
                body += buffer[:count]
        except TransferError as error:
            return Reading(fault=str(error) or type(error).__name__)
        return Reading(answer.status, answer.headers, bytes(body), connection.reusable)


def theirs(data: bytes, *, head: bool = False) -> Reading:
    client = h11.Connection(h11.CLIENT, max_incomplete_event_size=128 * 1024)
    client.send(h11.Request(method="HEAD" if head else "GET", target="/", headers=[("Host", "x")]))
    client.send(h11.EndOfMessage())
    reading = Reading()
    try:
        client.receive_data(data)
        client.receive_data(b"")
        while True:
            match client.next_event():
                case h11.Response() as answer:
                    reading.status = answer.status_code
                    reading.headers = {}
                    for name, value in answer.headers:
                        earlier = reading.headers.get(name.decode())
                        text = value.decode("latin-1")
                        once = earlier is None or earlier == text
                        reading.headers[name.decode()] = text if once else f"{earlier}, {text}"
                case h11.Data() as piece:
                    reading.body += bytes(piece.data)
                case h11.EndOfMessage():
                    reading.kept = client.their_state is h11.DONE and not client.trailing_data[0]
                    return reading
                case h11.InformationalResponse():
                    pass
                case other:
                    return Reading(fault=repr(other))
    except h11.ProtocolError as error:
        return Reading(fault=str(error))


def check(data: bytes, *, head: bool = False, room: int = 65_536) -> None:
    """Both understand the same, or both refuse."""
    mine, oracle = ours(data, head=head, room=room), theirs(data, head=head)
    if mine.fault and not oracle.fault:
        assert _STRICTER.search(data), f"refused for {mine.fault}: {data!r}"
    elif oracle.fault and not mine.fault:
        assert _LOOSER.search(data), f"accepted, though {oracle.fault}: {data!r}"
    elif not mine.fault:
        assert (mine.status, mine.body) == (oracle.status, oracle.body), data
        # h11 gives Content-Length as it was settled.
        for name in (mine.headers or {}).keys() - {"content-length"}:
            assert (mine.headers or {})[name] == (oracle.headers or {})[name], data
        assert oracle.kept or not mine.kept or data.startswith(b"HTTP/1.0"), f"kept: {data!r}"
