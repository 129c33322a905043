"""The sink in place of S3 and of the metadata's reads; DynamoDB's other calls go on to the local AWS.

python -m benchmarks.container.sink ENDPOINT       prints its port
"""

import http.client
import json
import re
import socket
import sys
from urllib.parse import urlsplit

from benchmarks.sink import Body, EntryUpload, serve

_OPERATION = re.compile(rb"\r\nx-amz-target: *\w+\.(\w+)", re.IGNORECASE)


class Forwarding(EntryUpload):
    """`endpoint` takes what only a table with writes can answer: the ledger's calls."""

    def __init__(self, endpoint: str) -> None:
        super().__init__()
        address = urlsplit(endpoint)
        self._address = (address.hostname, address.port)
        self._reads = 0

    def respond(self, method: str, target: str, head: bytes, body: Body) -> bytes:
        operation = _OPERATION.search(head)
        if operation is None or operation[1] == b"BatchGetItem":
            self._reads += operation is not None
            return super().respond(method, target, head, body)
        with socket.create_connection(self._address, timeout=60) as connection:
            connection.sendall(head + b"\r\n" + bytes(body.kept))
            answer = http.client.HTTPResponse(connection, method=method)
            answer.begin()
            content = answer.read()
        lines = [f"HTTP/1.1 {answer.status} {answer.reason}", f"Content-Length: {len(content)}"]
        lines += [
            f"{name}: {value}"
            for name, value in answer.headers.items()
            if name.lower() not in ("content-length", "connection", "transfer-encoding")
        ]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content

    def _control(self, path: str, body: bytes) -> bytes:
        return json.dumps({**json.loads(super()._control(path, body)), "reads": self._reads}).encode()


if __name__ == "__main__":
    listening = socket.create_server(("127.0.0.1", 0), backlog=2_048)
    print(listening.getsockname()[1], flush=True)
    serve(listening, Forwarding(sys.argv[1]))
