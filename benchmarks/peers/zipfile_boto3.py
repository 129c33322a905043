"""Peer: httpx to a temporary file, zipfile, SHA-256 against the metadata, boto3's upload_fileobj.

One entry after the other; upload_fileobj brings its own ten threads for objects of more than one part.
An entry goes through a temporary file, because it must be known to be right before it is uploaded.
"""

import hashlib
import tempfile
import zipfile

import httpx

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
    with tempfile.TemporaryFile() as archive:
        with http.stream("GET", export.url) as response:
            response.raise_for_status()
            for chunk in response.iter_bytes(CHUNK):
                archive.write(chunk)
        with zipfile.ZipFile(archive) as opened:
            for entry in opened.infolist():
                item = metadata.get(entry.filename)
                if item is None or item["size"] != entry.file_size:
                    continue
                with opened.open(entry) as content, tempfile.SpooledTemporaryFile(8 << 20) as verified:
                    digest = hashlib.sha256()
                    while chunk := content.read(CHUNK):
                        digest.update(chunk)
                        verified.write(chunk)
                    if digest.hexdigest() != item["sha256"]:
                        continue
                    verified.seek(0)
                    key = f"exports/{export.export_job_id}/{entry.filename}"
                    s3.upload_fileobj(verified, job.bucket, key)
    say_done()


if __name__ == "__main__":
    main()
