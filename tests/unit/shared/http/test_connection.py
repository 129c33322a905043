"""RFC 9112 by the letter: a table of framings, and h11 as the oracle for whatever can be put together."""

import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runtime.shared.http.connection import HttpConnection
from runtime.shared.http.errors import FramingError, TransferError, TransferTimeout
from tests.unit.shared.http.oracle import check, ours, theirs

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "status", "body", "kept"),
    [
        (OK + b"Content-Length: 3\r\n\r\nabc", 200, b"abc", True),
        (OK + b"Content-Length: 0\r\n\r\n", 200, b"", True),
        (OK + b"Content-Length: 3, 3\r\n\r\nabc", 200, b"abc", True),
        (OK + b"Content-Length: 3\r\ncontent-length: 3\r\n\r\nabc", 200, b"abc", True),
        (OK + b"Content-Length: 3\r\n\r\nabc-unasked", 200, b"abc", False),
        (OK + b"Connection: keep-alive, Close\r\nContent-Length: 0\r\n\r\n", 200, b"", False),
        (OK + b"Connection: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 200, b"", False),
        (OK + b"\r\nuntil close", 200, b"until close", False),
        (b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\na", 200, b"a", True),
        (b"HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\na", 200, b"a", True),
        (b"HTTP/1.1 299 \xff\xfe\r\nX: \xe9\x01\r\nContent-Length: 1\r\n\r\na", 299, b"a", True),
        (b"HTTP/1.1 200 OK\nContent-Length: 1\n\na", 200, b"a", True),
        (OK + b"X: folded\r\n  over\r\n\tlines\r\nContent-Length: 1\r\n\r\na", 200, b"a", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", 200, b"a", False),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\na", 200, b"a", True),
        (b"HTTP/1.1 204 None\r\nContent-Length: 5\r\n\r\n", 204, b"", True),
        (b"HTTP/1.1 304 Same\r\nTransfer-Encoding: chunked\r\n\r\n", 304, b"", True),
        (b"HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + OK + b"\r\n", 200, b"", False),
        (CHUNKED + b"3\r\nabc\r\n0\r\n\r\n", 200, b"abc", True),
        (CHUNKED + b"000a;x=y;z\r\n0123456789\r\n0\r\nT: 1\r\n\r\n", 200, b"0123456789", True),
        (CHUNKED + b'1 ; q="a b" \r\na\r\n0 \r\n\r\n', 200, b"a", True),
        (
            OK + b"Transfer-Encoding: Chunked\r\nContent-Length: 9\r\n\r\n1\r\na\r\n0\r\n\r\n",
            200,
            b"a",
            False,
        ),
        (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", 200, b"a", False),
    ],
)
def test_what_is_understood(data: bytes, status: int, body: bytes, kept: bool) -> None:
    for room in (1, 2, 65_536):
        reading = ours(data, room=room)
        assert (reading.fault, reading.status, reading.body, reading.kept) == ("", status, body, kept)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "closed the connection"),
        (b"\r\n" + OK + b"\r\n", "not HTTP/1.1"),
        (b"ICY 200 OK\r\n\r\n", "not HTTP/1.1"),
        (b"HTTP/2.0 200 OK\r\n\r\n", "not HTTP/1.1"),
        (b"http/1.1 200 OK\r\n\r\n", "not HTTP/1.1"),
        (b"HTTP/1.1  200 OK\r\n\r\n", "not HTTP/1.1"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "not HTTP/1.1"),
        (b"HTTP/1.1 020 OK\r\n\r\n", "not HTTP/1.1"),
        (b"HTTP/1.1 \xb2\xb0\xb0 OK\r\n\r\n", "not HTTP/1.1"),
        (b"HTTP/1.1 200 O\x00K\r\n\r\n", "not HTTP/1.1"),
        (b"HTTP/1.1 101 Upgrade\r\nUpgrade: x\r\n\r\n", "switched protocols"),
        (b"HTTP/1.1 102 Wait\r\n\r\n" * 200 + OK + b"\r\n", "interim"),
        (OK + b" folded: first\r\n\r\n", "malformed: b' folded"),
        (OK + b"A: b\r\nno colon\r\n\r\n", "malformed: b'no colon"),
        (OK + b"Content-Length : 3\r\n\r\nabc", "malformed: b'Content-Length :"),
        (OK + b": no name\r\n\r\n", "malformed"),
        (OK + b"X\xe9: 1\r\n\r\n", "malformed"),
        (OK + b"X: a\x00b\r\n\r\n", "malformed"),
        (OK + b"X: a\rb\r\n\r\n", "malformed"),
        (OK + b"X: " + b"a" * 70_000 + b"\r\n\r\n", "longer than"),
        (OK + b"Content-Length: 3, 4\r\n\r\nabcd", "Content-Length is '3, 4'"),
        (OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "Content-Length is '3, 4'"),
        (OK + b"Content-Length: -1\r\n\r\n", "Content-Length"),
        (OK + b"Content-Length: +3\r\n\r\nabc", "Content-Length"),
        (OK + b"Content-Length: 3,\r\n\r\nabc", "Content-Length"),
        (OK + b"Content-Length: 1_0\r\n\r\n0123456789", "Content-Length"),
        (OK + b"Content-Length: 0x3\r\n\r\nabc", "Content-Length"),
        (OK + b"Content-Length: \xb3\r\n\r\nabc", "Content-Length"),
        (OK + b"Content-Length:\r\n\r\n", "Content-Length"),
        (OK + b"Content-Length: " + b"9" * 5_000 + b"\r\n\r\n", "Content-Length"),
        (OK + b"Content-Length: 4\r\n\r\nabc", "1 bytes before the answer's end"),
        (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding is 'gzip"),
        (OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding"),
        (OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "Transfer-Enc"),
        (OK + b"Transfer-Encoding: identity\r\n\r\n", "Transfer-Encoding"),
        (OK + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding"),
        (CHUNKED + b"-5\r\nabc\r\n0\r\n\r\n", "begins with b'-5'"),
        (CHUNKED + b"0x5\r\nabcde\r\n0\r\n\r\n", "begins with"),
        (CHUNKED + b"1_0\r\n0123456789abcdef\r\n0\r\n\r\n", "begins with"),
        (CHUNKED + b" 3\r\nabc\r\n0\r\n\r\n", "begins with"),
        (CHUNKED + b"+3\r\nabc\r\n0\r\n\r\n", "begins with"),
        (CHUNKED + b"\r\n0\r\n\r\n", "begins with"),
        (CHUNKED + b"3\nabc\n0\n\n", "closed the connection"),
        (CHUNKED + b"3;a\nb\r\nabc\r\n0\r\n\r\n", "begins with"),
        (CHUNKED + b"3;a\x00\r\nabc\r\n0\r\n\r\n", "begins with"),
        (CHUNKED + b"0" * 21 + b"\r\n\r\n", "begins with"),
        (CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n", "goes on beyond its size"),
        (CHUNKED + b"3\r\nabc\n\n0\r\n\r\n", "goes on beyond its size"),
        (CHUNKED + b"3;" + b"x" * 70_000 + b"\r\nabc\r\n0\r\n\r\n", "longer than"),
        (CHUNKED + b"3\r\nab", "1 bytes before"),
        (CHUNKED + b"3\r\nabc\r\n", "closed the connection"),
        (CHUNKED + b"3\r\nabc\r\n0\r\n", "closed the connection"),
        (CHUNKED + b"0\r\nno trailer\r\n\r\n", "trailers"),
        (CHUNKED + b"0\r\n" + b"T: 1\r\n" * 20_000 + b"\r\n", "longer than"),
    ],
)
def test_what_is_a_framing_error(data: bytes, says: str) -> None:
    for room in (1, 65_536):
        assert says in ours(data, room=room).fault


def test_the_answer_to_head_has_no_body() -> None:
    assert ours(OK + b"Content-Length: 10\r\n\r\n", head=True).kept
    assert ours(CHUNKED, head=True).kept


def test_values_of_repeated_headers_are_joined() -> None:
    reading = ours(OK + b"A: 1\r\na: 2\r\nETag: x\r\netag: x\r\nV:\t v w \r\nContent-Length: 0\r\n\r\n")
    assert reading.headers == {"a": "1, 2", "etag": "x", "v": "v w", "content-length": "0"}


LINES = st.sampled_from([b"\r\n"] * 8 + [b"\n", b"\r", b"\r\n\r\n", b" \r\n"])
VALUES = st.sampled_from(
    [
        *(b"3", b"5", b"3, 3", b"3,5", b"", b"-3", b"0x3", b" 03 ", b"chunked", b"Chunked", b"gzip, chunked"),
        *(b"close", b"keep-alive, close", b"a\x00", b"\xff\x01", b"a\x0bb", b"x\r\n y", b"a b", b'"q,"'),
    ]
)
NAMES = st.sampled_from(
    [
        b"Content-Length",
        b"content-length",
        b"Transfer-Encoding",
        b"Connection",
        b"X",
        b"X ",
        b"",
        b"\xe9",
        b" X",
    ]
)
FIELDS = st.tuples(NAMES, st.sampled_from([b": ", b":", b":\t", b" :", b""]), VALUES, LINES).map(b"".join)
STATUS_LINES = st.tuples(
    st.sampled_from(
        [b"HTTP/1.1 "] * 6 + [b"HTTP/1.0 ", b"HTTP/1.2 ", b"HTTP/11 ", b"http/1.1 ", b"\r\nHTTP/1.1 "]
    ),
    st.sampled_from([b"200"] * 5 + [b"100", b"101", b"204", b"304", b"404", b"099", b"20", b"2000"]),
    st.sampled_from([b" OK", b"", b" ", b"  x y", b" \xff", b" \x00"]),
    LINES,
).map(b"".join)
HEADS = st.tuples(STATUS_LINES, st.lists(FIELDS, max_size=4).map(b"".join), LINES).map(b"".join)
CHUNKS = st.tuples(
    st.sampled_from(
        [b"3", b"03", b"0", b"A", b"a", b"-3", b"0x3", b"1_0", b"", b"3;x", b"3 ;x=\xff", b"3\t", b"F" * 17]
    ),
    LINES,
    st.sampled_from([b"", b"abc", b"abc", b"0123456789"]),
    LINES,
).map(b"".join)
BODIES = st.one_of(st.binary(max_size=12), st.lists(CHUNKS, max_size=4).map(b"".join))
ANSWERS = st.tuples(st.lists(HEADS, min_size=1, max_size=2).map(b"".join), BODIES, BODIES).map(b"".join)
FRAMED = st.tuples(
    st.sampled_from([CHUNKED, OK + b"Content-Length: 3\r\n\r\n", OK + b"\r\n"]),
    st.lists(st.one_of(CHUNKS, st.sampled_from([b"3\r\nabc\r\n", b"0\r\n\r\n"])), max_size=4).map(b"".join),
    st.sampled_from([b"", b"0\r\n\r\n", b"0\r\nT: x\r\n\r\n", b"0\r\nT\r\n\r\n"]),
).map(b"".join)


@settings(max_examples=400, deadline=None)
@given(st.one_of(ANSWERS, FRAMED), st.booleans(), st.sampled_from([1, 7, 65_536]))
@example(CHUNKED + b"0\r\n\n", False, 7)
@example(OK + b"X: a\r\n \r\nContent-Length: 0\r\n\r\n", False, 7)
def test_it_understands_what_h11_does(data: bytes, head: bool, room: int) -> None:
    check(data, head=head, room=room)


def test_the_oracle_refuses_and_accepts() -> None:
    assert theirs(CHUNKED + b"3\r\nabc\r\n0\r\n\r\n").body == b"abc"
    assert theirs(CHUNKED + b"-5\r\nabc\r\n0\r\n\r\n").fault


@pytest.fixture
def pair() -> Iterator[tuple[HttpConnection, socket.socket]]:
    here, there = socket.socketpair()
    with here, there:
        yield HttpConnection(here, 0.3), there


def test_buffers_are_sent_as_one_stream(pair: tuple[HttpConnection, socket.socket]) -> None:
    connection, there = pair
    body = [bytes([i % 251]) * (i % 97) for i in range(3_000)] + [memoryview(bytes(2_000_000))]
    received = bytearray()

    def receive() -> None:
        while data := there.recv(65_536):
            received.extend(data)

    thread = threading.Thread(target=receive)
    thread.start()
    connection.send(b"head", body)
    connection.abort()
    thread.join()
    assert bytes(received) == b"head" + b"".join(body)


def test_silence_is_a_time_out(pair: tuple[HttpConnection, socket.socket]) -> None:
    connection, there = pair
    with pytest.raises(TransferTimeout):
        connection.read_head()
    with pytest.raises(TransferTimeout):
        connection.send(bytes(50_000_000))
    there.sendall(OK + b"Content-Length: 5\r\n\r\nab")
    assert connection.read_head().status == 200
    assert connection.readinto(memoryview(bytearray(5))) == 2
    with pytest.raises(TransferTimeout):
        connection.readinto(memoryview(bytearray(5)))


def test_an_early_answer_is_there_or_not(pair: tuple[HttpConnection, socket.socket]) -> None:
    connection, there = pair
    assert connection.early_head() is None
    there.sendall(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno")
    head = connection.early_head()
    assert head is not None
    assert (head.status, connection.read_all(100), connection.reusable) == (403, b"no", False)


def test_a_body_beyond_the_limit_is_cut_and_the_connection_dropped(
    pair: tuple[HttpConnection, socket.socket],
) -> None:
    connection, there = pair
    there.sendall(OK + b"Content-Length: 100\r\n\r\n" + bytes(100))
    connection.read_head()
    assert len(connection.read_all(10)) == 10
    assert not connection.reusable


def test_errors_are_of_the_way() -> None:
    assert issubclass(FramingError, TransferError)
    assert issubclass(TransferError, ConnectionError)
