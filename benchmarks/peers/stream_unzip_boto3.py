"""Peer: httpx streamed through stream-unzip, SHA-256 against the metadata, boto3's upload_fileobj.

One entry after the other, as the stream brings them; nothing but the entry in hand touches the disk.
"""

import hashlib
import tempfile

import httpx
from stream_unzip import stream_unzip

from benchmarks.job import Job, say_done, wait_for_start
from benchmarks.peers.clients import metadata_of, metadata_table, s3_client

CHUNK = 1 << 20


def main() -> None:
    job = Job.read()
    export = job.exports[0]
    s3, table = s3_client(job), metadata_table(job)
    http = httpx.Client(timeout=60)
    wait_for_start()

    metadata = metadata_of(table, export.export_job_id)
    with http.stream("GET", export.url) as response:
        response.raise_for_status()
        for name, _, chunks in stream_unzip(response.iter_bytes(CHUNK)):
            item = metadata.get(name.decode())
            if item is None:
                for _ in chunks:
                    pass
                continue
            with tempfile.SpooledTemporaryFile(8 << 20) as verified:
                digest = hashlib.sha256()
                for chunk in chunks:
                    digest.update(chunk)
                    verified.write(chunk)
                if verified.tell() != item["size"] or digest.hexdigest() != item["sha256"]:
                    continue
                verified.seek(0)
                key = f"exports/{export.export_job_id}/{name.decode()}"
                s3.upload_fileobj(verified, job.bucket, key)
    say_done()


if __name__ == "__main__":
    main()
