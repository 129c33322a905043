"""Writing a manifest so that a worker which lost its lease cannot overwrite its successor's.

A frozen worker may wake at any moment, even between its last look at the lease and its write. So the object's
version is noted first, then the lease is checked, and the write goes through only if that version still stands:
whoever has written in between has a newer lease.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from botocore.exceptions import ClientError

_PART_BYTES = 8 * 1024 * 1024
_ATTEMPTS = 5
_OVERTAKEN = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})

Fence = Callable[[], None]
"""Raises LeaseLost when the work is somebody else's now."""


def publish(
    s3: Any, bucket: str, key: str, chunks: Callable[[], Iterable[bytes]], content_type: str, fence: Fence
) -> None:
    """Write an object of any length from chunks (asked for again at each attempt), fenced as said above.

    Raises LeaseLost from the fence, boto's errors otherwise.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        condition = _unchanged(s3, bucket, key)
        try:
            _write(s3, bucket, key, _parts(chunks()), content_type, fence, condition)
            return
        except ClientError as error:
            if error.response["Error"]["Code"] not in _OVERTAKEN or attempt == _ATTEMPTS:
                raise


def _unchanged(s3: Any, bucket: str, key: str) -> dict[str, str]:
    try:
        return {"IfMatch": s3.head_object(Bucket=bucket, Key=key)["ETag"]}
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return {"IfNoneMatch": "*"}
        raise


def _write(
    s3: Any,
    bucket: str,
    key: str,
    parts: Iterator[bytes],
    content_type: str,
    fence: Fence,
    condition: dict[str, str],
) -> None:
    first = next(parts, b"")
    second = next(parts, None)
    if second is None:
        fence()
        s3.put_object(
            Bucket=bucket,
            Key=key,
            Body=first,
            ContentType=content_type,
            ChecksumAlgorithm="CRC32",
            **condition,
        )
        return
    upload = s3.create_multipart_upload(
        Bucket=bucket, Key=key, ContentType=content_type, ChecksumAlgorithm="CRC32"
    )["UploadId"]
    try:
        sent = []
        for number, body in enumerate(_chain(first, second, parts), 1):
            answer = s3.upload_part(
                Bucket=bucket,
                Key=key,
                UploadId=upload,
                PartNumber=number,
                Body=body,
                ChecksumAlgorithm="CRC32",
            )
            sent.append(
                {"PartNumber": number, "ETag": answer["ETag"], "ChecksumCRC32": answer["ChecksumCRC32"]}
            )
        fence()
        s3.complete_multipart_upload(
            Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": sent}, **condition
        )
    except BaseException:
        s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
        raise


def _chain(first: bytes, second: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield second
    yield from rest


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
