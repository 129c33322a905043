"""Peer: the best parts on PyPI. obstore (Rust) speaks HTTP and S3, zipfile reads the central directory over
ranged reads, isal inflates, SHA-256 against the metadata; threads for large entries, asyncio for small ones.

Only what is wanted is fetched, neighbours by one request. An object of several parts is completed only when
its digest is right: what makes its content raises before the end otherwise.
"""

import asyncio
import hashlib
import os
import struct
import zipfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import IO, Any, cast
from urllib.parse import urlsplit

import obstore
from isal import isal_zlib
from obstore.store import HTTPStore, S3Store

from benchmarks.job import Job, say_done, wait_for_start
from benchmarks.peers.clients import metadata_of, metadata_table

LARGE = 1 << 20
THREADS = 4
UPLOADS = 64
CHUNK = 512 << 10
PART = 8 << 20
RUN_BYTES = 4 << 20
READ_BYTES = 1 << 20
LOCAL_HEADER = struct.Struct("<26x2H")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """An entry with metadata; its record (local header and content) ends before `stop`."""

    name: str
    start: int
    stop: int
    compressed: int
    size: int
    sha256: str


class Mismatch(Exception):
    """The content is not what the metadata says."""


def main() -> None:
    job = Job.read()
    export = job.exports[0]
    address = urlsplit(export.url)
    options: Any = {"allow_http": True}
    archives = HTTPStore.from_url(f"{address.scheme}://{address.netloc}", client_options=options)
    bucket = S3Store(
        job.bucket,
        endpoint=job.endpoint,
        virtual_hosted_style_request=False,
        unsigned_payload=True,  # as boto3 over https
        client_options=options,
    )
    table = metadata_table(job)
    wait_for_start()

    peer = Peer(archives, address.path.lstrip("/"), bucket, f"exports/{export.export_job_id}/")
    wanted = list(peer.wanted(metadata_of(table, export.export_job_id)))
    small = [entry for entry in wanted if entry.size < LARGE]
    with ThreadPoolExecutor(THREADS) as pool:
        large = pool.map(peer.send_large, (entry for entry in wanted if entry.size >= LARGE))
        asyncio.run(peer.send_all_small(small))
        list(large)
    say_done()
    os._exit(0)  # now and then its threads abort a process that takes its interpreter down


@dataclass(frozen=True)
class Readable:
    """obstore's file for zipfile, which wants `bytes` and not only something like them."""

    file: Any

    def read(self, size: int = -1) -> bytes:
        return bytes(self.file.read(size) if size >= 0 else self.file.read())

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self.file.seek(offset, whence))

    def tell(self) -> int:
        return int(self.file.tell())


@dataclass(frozen=True)
class Peer:
    """One archive, and where its entries go."""

    archives: HTTPStore
    archive: str
    bucket: S3Store
    prefix: str

    def wanted(self, metadata: dict[str, dict[str, Any]]) -> Iterator[Wanted]:
        reader = obstore.open_reader(self.archives, self.archive, buffer_size=READ_BYTES)
        with zipfile.ZipFile(cast("IO[bytes]", Readable(reader))) as opened:
            entries = sorted(opened.infolist(), key=lambda entry: entry.header_offset)
            starts = [*(entry.header_offset for entry in entries), opened.start_dir]
        for entry, (start, stop) in zip(entries, pairwise(starts), strict=True):
            item = metadata.get(entry.filename)
            if item is not None and item["size"] == entry.file_size:
                yield Wanted(
                    name=entry.filename,
                    start=start,
                    stop=stop,
                    compressed=entry.compress_size,
                    size=entry.file_size,
                    sha256=item["sha256"],
                )

    def send_large(self, entry: Wanted) -> None:
        answer = obstore.get(self.archives, self.archive, options={"range": (entry.start, entry.stop)})
        content = verified(entry, answer.stream(min_chunk_size=CHUNK))
        # obstore.put takes an iterator too, but not one that reads from obstore.
        writer = obstore.open_writer(self.bucket, self.prefix + entry.name, buffer_size=PART)
        for data in content:
            writer.write(data)
        writer.close()

    async def send_all_small(self, entries: list[Wanted]) -> None:
        free = asyncio.Semaphore(UPLOADS)
        async with asyncio.TaskGroup() as uploads:
            for run in runs(entries):
                first, last = run[0].start, run[-1].stop
                data = await obstore.get_range_async(self.archives, self.archive, start=first, end=last)
                view = memoryview(data)
                for entry in run:
                    content = b"".join(verified(entry, [view[entry.start - first : entry.stop - first]]))
                    await free.acquire()
                    upload = uploads.create_task(self._put(entry, content))
                    upload.add_done_callback(lambda _: free.release())

    async def _put(self, entry: Wanted, content: bytes) -> None:
        await obstore.put_async(self.bucket, self.prefix + entry.name, content, use_multipart=False)


def runs(entries: list[Wanted]) -> Iterator[list[Wanted]]:
    """Neighbours, which one request fetches together."""
    run: list[Wanted] = []
    for entry in entries:
        if run and (run[-1].stop != entry.start or entry.stop - run[0].start > RUN_BYTES):
            yield run
            run = []
        run.append(entry)
    if run:
        yield run


def verified(entry: Wanted, record: Iterable[Any]) -> Iterator[bytes]:
    """The content of an entry, out of the chunks of its record. Raises Mismatch before the end."""
    inflater, digest = isal_zlib.decompressobj(-15), hashlib.sha256()
    skip, left = 0, entry.compressed
    for number, chunk in enumerate(record):
        data = memoryview(chunk)
        if number == 0:  # a chunk is never so small that it would cut the header
            skip = LOCAL_HEADER.size + sum(LOCAL_HEADER.unpack_from(data))
        data, skip = data[skip:][:left], max(0, skip - len(data))
        left -= len(data)
        content = inflater.decompress(data)
        digest.update(content)
        yield content
    if digest.hexdigest() != entry.sha256:
        raise Mismatch(entry.name)


if __name__ == "__main__":
    main()
