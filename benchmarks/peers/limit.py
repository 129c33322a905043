"""The limit: inflate, SHA-256, socket reads and socket writes, and as little between them as Python allows.

It is no worker. It knows the archive's layout beforehand, looks nothing up, signs nothing, verifies
nothing (the SHA-256 is computed and dropped), sends each object as one plain PUT whatever its size, and
does not wait for one answer before it sends the next object. Two threads, each with half of the entries,
one connection to the archive server and one to the sink: as many as the machine has cores, and every call
that costs something releases the interpreter lock. With entries of 10 KB the loop around those calls costs
as much as the calls, so there it is a limit of Python, not of the machine.
"""

import hashlib
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from isal import isal_zlib

from benchmarks.archives import Entry, load
from benchmarks.job import Job, say_done, wait_for_start

THREADS = 2
CHUNK = 128 << 10
UNANSWERED = 32
NEIGHBOURS = 4 << 10


def main() -> None:
    job = Job.read()
    wanted = [entry for entry in load(Path(job.archive)) if entry.wanted]
    share = -(-len(wanted) // THREADS)
    threads = [
        threading.Thread(target=transfer, args=(job, wanted[at : at + share]))
        for at in range(0, len(wanted), share)
    ]
    wait_for_start()

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    say_done()


def transfer(job: Job, entries: list[Entry]) -> None:
    export = job.exports[0]
    source, answers = connect(export.url)
    sink, results = connect(job.endpoint)
    unanswered = 0
    for run in runs(entries):
        at, end = run[0].payload_offset, run[-1].payload_offset + run[-1].compressed_size
        asked = f"GET {urlsplit(export.url).path} HTTP/1.1\r\nHost: x\r\nRange: bytes={at}-{end - 1}\r\n\r\n"
        source.sendall(asked.encode())
        skip_head(answers)
        for entry in run:
            answers.read(entry.payload_offset - at)
            head = f"PUT /{job.bucket}/exports/{export.export_job_id}/{entry.path} HTTP/1.1\r\nHost: x\r\n"
            send_entry(answers, sink, entry, f"{head}Content-Length: {entry.size}\r\n\r\n".encode())
            at = entry.payload_offset + entry.compressed_size
            unanswered += 1
            if unanswered == UNANSWERED:
                skip_head(results)
                unanswered -= 1
    for _ in range(unanswered):
        skip_head(results)


def send_entry(source: BinaryIO, sink: socket.socket, entry: Entry, head: bytes) -> None:
    inflater, digest, left = isal_zlib.decompressobj(-15), hashlib.sha256(), entry.compressed_size
    while left:
        data = source.read(min(left, CHUNK))
        left -= len(data)
        content = inflater.decompress(data)
        digest.update(content)
        sink.sendall(head + content if head else content)
        head = b""


def runs(entries: list[Entry]) -> Iterator[list[Entry]]:
    """Neighbours, which one request fetches together."""
    run = entries[:1]
    for before, entry in pairwise(entries):
        if entry.payload_offset - (before.payload_offset + before.compressed_size) > NEIGHBOURS:
            yield run
            run = []
        run.append(entry)
    yield run


def connect(url: str) -> tuple[socket.socket, BinaryIO]:
    address = urlsplit(url)
    connection = socket.create_connection((address.hostname, address.port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if address.scheme == "https":
        connection = ssl.create_default_context().wrap_socket(connection, server_hostname=address.hostname)
    return connection, connection.makefile("rb", buffering=CHUNK)  # type: ignore[return-value]  # int sizes lose it


def skip_head(answers: Iterable[bytes]) -> None:
    for line in answers:
        if line == b"\r\n":
            return


if __name__ == "__main__":
    main()
