"""`python -m benchmarks.verification [OBJECTS [LATENCY_MS]]`: how many objects a second `export-ops verify`
holds to the metadata, on one core, beside a server that answers at once, or after some milliseconds.

The server speaks as much of S3 (ListObjectsV2, HeadObject) and DynamoDB (Query) as that takes; every object
of its one job is there, with the size and the checksums that the metadata says.
"""

import asyncio
import base64
import json
import os
import subprocess
import sys
import time
from urllib.parse import parse_qs, urlsplit

import boto3

from ops.fleet.environment import DataNames, Fleet
from ops.fleet.verification import verify

JOB, SIZE, SHA256 = "job", 1_000, "0" * 64
_CRC = base64.b64encode(bytes(4)).decode()
_PAGE, _ITEMS = 1_000, 4_000
_HEAD = (
    f'HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\nETag: "0"\r\nx-amz-checksum-crc32: {_CRC}\r\n'
    f"x-amz-checksum-type: FULL_OBJECT\r\nx-amz-meta-sha256: {SHA256}\r\n\r\n"
).encode()


class Server(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, objects: int, latency_s: float) -> None:
        self._objects = objects
        self._latency_s = latency_s
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head, rest = self._received[:end], self._received[end + 4 :]
            method, target = head.split(b" ", 2)[:2]
            length = 0
            if method == b"POST":
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                if len(rest) < length:
                    return
            body, self._received = rest[:length], rest[length:]
            answer = self._answer(method, target.decode(), body)
            if self._latency_s:
                asyncio.get_running_loop().call_later(self._latency_s, self._transport.write, answer)
            else:
                self._transport.write(answer)

    def _answer(self, method: bytes, target: str, body: bytes) -> bytes:
        if method == b"HEAD":
            return _HEAD
        text = self._items(body) if method == b"POST" else self._listing(target)
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text.encode())

    def _listing(self, target: str) -> str:
        token = parse_qs(urlsplit(target).query).get("continuation-token", ["0"])[0]
        first = int(token)
        last = min(first + _PAGE, self._objects)
        more = "" if last == self._objects else f"<NextContinuationToken>{last}</NextContinuationToken>"
        found = "".join(
            f"<Contents><Key>exports/{JOB}/{n:09}</Key><Size>{SIZE}</Size></Contents>"
            for n in range(first, last)
        )
        truncated = f"<IsTruncated>{str(bool(more)).lower()}</IsTruncated>"
        return f"<ListBucketResult>{found}{truncated}{more}</ListBucketResult>"

    def _items(self, body: bytes) -> str:
        start = json.loads(body).get("ExclusiveStartKey", {}).get("file_path", {}).get("S", "-1")
        first = int(start) + 1
        last = min(first + _ITEMS, self._objects)
        items = [
            {"file_path": {"S": f"{n:09}"}, "size": {"N": str(SIZE)}, "sha256": {"S": SHA256}}
            for n in range(first, last)
        ]
        more = {} if last == self._objects else {"LastEvaluatedKey": {"file_path": {"S": f"{last - 1:09}"}}}
        return json.dumps({"Items": items, "Count": len(items), **more})


async def serve(objects: int, latency_s: float) -> None:
    """Until the process is stopped; prints the port."""
    server = await asyncio.get_running_loop().create_server(
        lambda: Server(objects, latency_s), "127.0.0.1", 0
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    objects = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    latency_ms = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
    command = [sys.executable, "-m", "benchmarks.verification", "--serve", str(objects), str(latency_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{int(server.stdout.readline())}"
            outputs = {"BucketName": "bucket", "MetadataTableName": "metadata"}
            fleet = Fleet(
                name="bench",
                outputs=outputs,
                session=boto3.Session("key", "secret", region_name="eu-west-1"),
                endpoint_url=url,
            )
            fleet.__dict__["names"] = DataNames(
                object_prefix="exports/",
                manifest_prefix="manifests/",
                job="export_job_id",
                path="file_path",
                size="size",
                sha256="sha256",
                destination="destination_key",
            )
            cpu, began = time.process_time(), time.monotonic()
            found = verify(fleet, JOB)
            cpu, seconds = time.process_time() - cpu, time.monotonic() - began
        finally:
            server.terminate()
    assert (found.expected, found.lacking) == (objects, 0), found.by_reason
    print(
        f"{found.expected:,} objects in {seconds:.1f} s: {found.expected / seconds:,.0f} a second, "
        f"{cpu / found.expected * 1e6:,.0f} µs of CPU each (load {os.getloadavg()[0]:.1f})"
    )


if __name__ == "__main__":
    if "--serve" in sys.argv:
        asyncio.run(serve(int(sys.argv[-2]), float(sys.argv[-1]) / 1_000))
    else:
        main()
