"""The sink: answers S3's object calls and DynamoDB's reads as cheaply as Python can, and discards the bytes.

One thread, one epoll, one receive buffer: what is received is summed where it lies and forgotten. It knows
PutObject, multipart uploads, HeadObject, ListObjectsV2 (always empty), chunked and aws-chunked bodies and
`Expect: 100-continue`; what it got is checked by objects.py.

Control: `POST /-/expect` with `{"index", "bucket", "jobs"}` starts a run, `GET /-/report` says what arrived.

    python -m benchmarks.sink [CERTIFICATE]

speaks TLS itself when it has a certificate: of hundreds of slow uploads at once a terminator's copying would
cost as much as the worker. Prints the port it listens on.
"""

import base64
import contextlib
import json
import re
import select
import socket
import ssl
import sys
from collections.abc import Generator
from typing import Protocol
from urllib.parse import unquote

from isal.isal_zlib import crc32

from benchmarks.metadata import Metadata
from benchmarks.objects import Objects, Sum, joined
from benchmarks.tls import BACKLOG, HOST, server_context

BUFFER_BYTES = 256 << 10  # stays in the core's cache
HEAD_BYTES = 16 << 10
ANSWER_TIMEOUT_S = 10.0
EMPTY_LISTING = "<ListBucketResult><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>"

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_TRANSFER_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_OPERATION = re.compile(rb"\r\nx-amz-target: *\w+\.(\w+)", re.IGNORECASE)
_PART = re.compile(rb"<PartNumber>(\d+)</PartNumber>")
_UPLOAD = re.compile(r"uploadId=([^&]+)")
_PART_NUMBER = re.compile(r"partNumber=(\d+)")

# A conversation is a generator: it yields when it needs more bytes and is sent what arrived.
Conversation = Generator[None, memoryview, None]


class EntryUpload:
    """The objects and items of one run after the other."""

    def __init__(self) -> None:
        self.objects = Objects()
        self.metadata = Metadata()
        self._uploads: dict[str, dict[int, Sum]] = {}

    def respond(self, method: str, target: str, head: bytes, body: "Body") -> bytes:
        """The answer to one request, its body already received."""
        path, _, query = target.partition("?")
        if path.startswith("/-/"):
            return _json(self._control(path, bytes(body.kept)))
        if method == "PUT":
            return self._put(path, query, (body.crc, body.length))
        if method == "POST":
            operation = _OPERATION.search(head)
            if operation:
                return _json(self.metadata.answer(operation[1].decode(), bytes(body.kept)))
            return self._multipart(path, query, bytes(body.kept))
        if method == "GET" and "list-type=2" in query:
            return _xml(EMPTY_LISTING)
        if method == "DELETE":
            self._uploads.pop(query.partition("uploadId=")[2], None)
            return b"HTTP/1.1 204 No Content\r\n\r\n"
        return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

    def _control(self, path: str, body: bytes) -> bytes:
        if path == "/-/expect":
            instruction = json.loads(body)
            self.objects = Objects.expecting(instruction)
            self.metadata = Metadata.expecting(instruction)
            self._uploads = {}
        return json.dumps(self.objects.report()).encode()

    def _put(self, path: str, query: str, received: Sum) -> bytes:
        part = _PART_NUMBER.search(query)
        upload = _UPLOAD.search(query)
        if part and upload:
            self._uploads[upload[1]][int(part[1])] = received
        else:
            self.objects.put(unquote(path), received)
        return b'HTTP/1.1 200 OK\r\nETag: "%08x"\r\nx-amz-checksum-crc32: %s\r\nContent-Length: 0\r\n\r\n' % (
            received[0],
            _encoded(received[0]),
        )

    def _multipart(self, path: str, query: str, body: bytes) -> bytes:
        upload = _UPLOAD.search(query)
        if upload is None:
            name = f"upload-{len(self._uploads)}"
            self._uploads[name] = {}
            return _xml(
                f"<InitiateMultipartUploadResult><UploadId>{name}</UploadId></InitiateMultipartUploadResult>"
            )
        received = self._uploads[upload[1]]
        whole = joined([received[int(number)] for number in _PART.findall(body)])
        self.objects.put(unquote(path), whole)
        return _xml(
            f"<CompleteMultipartUploadResult><ETag>&quot;{whole[0]:08x}&quot;</ETag>"
            f"<ChecksumCRC32>{_encoded(whole[0]).decode()}</ChecksumCRC32>"
            "<ChecksumType>FULL_OBJECT</ChecksumType></CompleteMultipartUploadResult>"
        )


class Takes(Protocol):
    """What a decoded body goes to, piece by piece."""

    def take(self, data: memoryview) -> None: ...


class Body:
    """What a request carried: its sum, and its bytes only where somebody reads them."""

    __slots__ = ("_keep", "crc", "kept", "length")

    def __init__(self, *, keep: bool) -> None:
        self.crc = 0
        self.length = 0
        self.kept = bytearray()
        self._keep = keep

    def take(self, data: memoryview) -> None:
        if self._keep:
            self.kept += data
        else:
            self.crc = crc32(data, self.crc)
        self.length += len(data)


class Chunked:
    """Takes chunks, and gives what is in them to a body."""

    def __init__(self, body: Body) -> None:
        self._decoding = _chunked(memoryview(b""), body)
        next(self._decoding)

    def take(self, data: memoryview) -> None:
        with contextlib.suppress(StopIteration):
            self._decoding.send(data)


def converse(connection: socket.socket, sink: EntryUpload) -> Conversation:
    """One keep-alive connection, request by request; what it is sent is valid until it yields."""
    data = yield
    while True:
        head, data = yield from _head(data)
        method, target, _ = head[: head.index(b"\r\n")].decode("latin-1").split(" ")
        if b"100-continue" in head:
            _answer(connection, b"HTTP/1.1 100 Continue\r\n\r\n")
        body = Body(keep=method == "POST")
        codings = (b"aws-chunked" in head) + bool(_TRANSFER_CHUNKED.search(head))
        if codings:
            # boto3 over https sends one inside the other.
            data = yield from _chunked(data, body if codings == 1 else Chunked(body))
        else:
            length = _LENGTH.search(head)
            data = yield from _exactly(int(length[1]) if length else 0, data, body)
        _answer(connection, sink.respond(method, target, head, body))
        if not data:
            data = yield


def _answer(connection: socket.socket, data: bytes) -> None:
    """Wait for an answer to be taken: the programs read theirs at once."""
    connection.settimeout(ANSWER_TIMEOUT_S)
    connection.sendall(data)
    connection.setblocking(False)


def _head(data: memoryview) -> Generator[None, memoryview, tuple[bytes, memoryview]]:
    """The request's head and what follows it."""
    kept = b""
    while True:
        before = len(kept)
        kept += bytes(data[:HEAD_BYTES])
        end = kept.find(b"\r\n\r\n")
        if end >= 0:
            return kept[: end + 2], data[end + 4 - before :]
        data = yield


def _exactly(length: int, data: memoryview, body: Takes) -> Generator[None, memoryview, memoryview]:
    """Give the body its next `length` bytes; return what follows them."""
    while length > len(data):
        length -= len(data)
        body.take(data)
        data = yield
    body.take(data[:length])
    return data[length:]


def _chunked(data: memoryview, body: Takes) -> Generator[None, memoryview, memoryview]:
    """`size[;extension]` CRLF, data, CRLF, ..., `0` CRLF, trailers, an empty line; returns what follows."""
    while True:
        size, data = yield from _line(data)
        length = int(size.partition(b";")[0], 16)
        if length == 0:
            break
        data = yield from _exactly(length, data, body)
        _, data = yield from _line(data)
    while True:
        trailer, data = yield from _line(data)
        if not trailer:
            return data


def _line(data: memoryview) -> Generator[None, memoryview, tuple[bytes, memoryview]]:
    kept = b""
    while True:
        before = len(kept)
        kept += bytes(data[:HEAD_BYTES])
        end = kept.find(b"\r\n")
        if end >= 0:
            return kept[:end], data[end + 2 - before :]
        data = yield


def _encoded(crc: int) -> bytes:
    return base64.b64encode(crc.to_bytes(4, "big"))


def _json(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n\r\n%s" % (
        len(body),
        body,
    )


def _xml(body: str) -> bytes:
    text = body.encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n%s" % (
        len(text),
        text,
    )


def serve(listener: socket.socket, sink: EntryUpload, tls: ssl.SSLContext | None = None) -> None:
    """Answer every connection until the process ends."""
    poller = select.epoll()
    poller.register(listener, select.EPOLLIN)
    open_connections: dict[int, tuple[socket.socket, Conversation]] = {}
    buffer = memoryview(bytearray(BUFFER_BYTES))
    while True:
        for number, _ in poller.poll():
            if number == listener.fileno():
                connection = _accepted(listener, tls)
                poller.register(connection, select.EPOLLIN)
                conversation = converse(connection, sink)
                next(conversation)
                open_connections[connection.fileno()] = (connection, conversation)
                continue
            connection, conversation = open_connections[number]
            try:
                received = connection.recv_into(buffer)
                if received:
                    conversation.send(buffer[:received])
                    continue
            except ssl.SSLWantReadError:
                continue  # the handshake, or a record of which more is to come
            except (ConnectionError, ssl.SSLError):
                pass
            poller.unregister(connection)
            connection.close()
            del open_connections[number]


def _accepted(listener: socket.socket, tls: ssl.SSLContext | None) -> socket.socket:
    connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setblocking(False)
    if tls is None:
        return connection
    # The handshake takes place as the first reads do, so that no client keeps the others waiting.
    return tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)


if __name__ == "__main__":
    listening = socket.create_server((HOST, 0), backlog=BACKLOG)
    print(listening.getsockname()[1], flush=True)
    serve(listening, EntryUpload(), server_context(sys.argv[1]) if len(sys.argv) > 1 else None)
