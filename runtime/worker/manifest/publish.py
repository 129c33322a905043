"""Writing a manifest so that a worker which lost its lease cannot overwrite its successor's.

A frozen worker may wake at any moment, even between its last look at the lease and its write. So the object's
version is noted first, then the lease is checked, and the write goes through only if that version still
stands: whoever has written in between has a newer lease.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from runtime.shared.sizes import MIB

_PART_BYTES = 8 * MIB
_ATTEMPTS = 5
_OVERTAKEN = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})

Fence = Callable[[], None]
"""Raises LeaseLost when the work is somebody else's now."""


@dataclass(frozen=True)
class Publisher:
    """Writes objects into one bucket, fenced as said above."""

    s3: Any
    bucket: str

    def publish(
        self, key: str, chunks: Callable[[], Iterable[bytes]], content_type: str, fence: Fence
    ) -> None:
        """Write an object of any length from chunks, which are asked for again at each attempt.

        Raises LeaseLost from the fence, boto's errors otherwise.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            target = {"Bucket": self.bucket, "Key": key}
            unchanged = self._unchanged(key)
            try:
                parts = _parts(chunks())
                first, second = next(parts, b""), next(parts, None)
                about = {"ContentType": content_type, "ChecksumAlgorithm": "CRC32"}
                if second is None:
                    fence()
                    self.s3.put_object(**target, **about, **unchanged, Body=first)
                else:
                    self._write_long(target, about, itertools.chain((first, second), parts), fence, unchanged)
                return
            except ClientError as error:
                if error.response["Error"]["Code"] not in _OVERTAKEN or attempt == _ATTEMPTS:
                    raise

    def _unchanged(self, key: str) -> dict[str, str]:
        """The condition that nobody writes the object from now on."""
        try:
            return {"IfMatch": self.s3.head_object(Bucket=self.bucket, Key=key)["ETag"]}
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return {"IfNoneMatch": "*"}
            raise

    def _write_long(
        self,
        target: dict[str, str],
        about: dict[str, str],
        parts: Iterable[bytes],
        fence: Fence,
        unchanged: dict[str, str],
    ) -> None:
        # Each part is checked as it arrives; the whole object's checksum is then S3's to combine.
        created = self.s3.create_multipart_upload(**target, **about, ChecksumType="FULL_OBJECT")
        upload = {**target, "UploadId": created["UploadId"]}
        try:
            sent = []
            for number, body in enumerate(parts, 1):
                answer = self.s3.upload_part(
                    **upload, PartNumber=number, Body=body, ChecksumAlgorithm="CRC32"
                )
                sent.append({"PartNumber": number, "ETag": answer["ETag"]})
            fence()
            self.s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": sent}, **unchanged)
        except BaseException:
            self.s3.abort_multipart_upload(**upload)
            raise


def _parts(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks gathered into parts of a size that S3 takes."""
    gathered, size = [], 0
    for chunk in chunks:
        gathered.append(chunk)
        size += len(chunk)
        if size >= _PART_BYTES:
            yield b"".join(gathered)
            gathered, size = [], 0
    if gathered:
        yield b"".join(gathered)
