"""Putting verified bytes into the bucket: one request for a small object, parts for a large one.

The calls made per object or per part go through the slim client; creating, completing, listing and aborting
multipart uploads are rare and stay with boto3. Every object is given its full-object CRC-32, which S3 checks
before the object becomes visible.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from botocore.exceptions import ClientError

from runtime.shared.aws_client.client import AwsClient, Call, Exchange, Streaming, Success
from runtime.shared.aws_client.errors import AwsError
from runtime.shared.aws_client.sigv4 import UNSIGNED_PAYLOAD, escape_path
from runtime.shared.buffer import Buffer
from runtime.shared.consumer import Cancellation
from runtime.shared.scope import Scope, scope_of
from runtime.worker.aws.framing import UNSIGNED_TRAILER, FramedBody, framed_length


class UploadedPart(NamedTuple):
    """An uploaded part; `crc` is the CRC-32 of its bytes where it is known."""

    number: int
    etag: str
    crc: int | None
    size: int


class Present(NamedTuple):
    """An object as HeadObject describes it; `crc` is None unless it is a full-object CRC-32."""

    size: int
    crc: int | None
    sha256: str | None


class Description(NamedTuple):
    """The headers that go with an object beside its bytes; made ready for the wire by `describe`."""

    content_type: str
    metadata: Mapping[str, str]


def crc_text(crc: int) -> str:
    """S3's form of a CRC-32: base64 of four big-endian bytes."""
    return base64.b64encode(crc.to_bytes(4, "big")).decode()


def crc_value(text: str) -> int:
    return int.from_bytes(base64.b64decode(text), "big")


def header_safe(value: str) -> str:
    """User metadata travels as headers: what is not printable ASCII is percent-encoded."""
    return quote(value, safe="!#$&'()*+,/:;=?@[]-_.~")


class ObjectStore:
    """One bucket."""

    def __init__(self, fast: AwsClient, s3: Any, bucket: str) -> None:
        self._fast = fast
        self._s3 = s3
        self.bucket = bucket
        self._host = fast.endpoint.authority
        self._base = fast.endpoint.base_path

    def _path(self, key: str) -> str:
        return self._base + escape_path(key)

    # --- one request per object --------------------------------------------------------------------------

    def start_put(
        self,
        key: str,
        body: Sequence[Buffer],
        scope: Scope,
        *,
        crc: int,
        sha256: str | None,
        about: Description,
    ) -> Exchange:
        """Send a whole object; `finish` waits for S3's answer."""
        return self._fast.start(self._put(key, body, crc=crc, sha256=sha256, about=about), scope)

    def open_put(
        self, key: str, size: int, scope: Scope, *, crc: int, sha256: str | None, about: Description
    ) -> Streaming:
        """Begin a whole object whose bytes are sent as they come; it is there when all have been."""
        return self._fast.open(self._put(key, (), size, crc=crc, sha256=sha256, about=about), scope)

    def _put(
        self,
        key: str,
        body: Sequence[Buffer],
        size: int | None = None,
        *,
        crc: int,
        sha256: str | None,
        about: Description,
    ) -> Call:
        """A PutObject of `body`, or of `size` bytes that follow."""
        length = sum(map(len, body)) if size is None else size
        headers = {
            "host": self._host,
            "content-type": about.content_type,
            "x-amz-checksum-crc32": crc_text(crc),
            "x-amz-sdk-checksum-algorithm": "CRC32",
        }
        for name, value in about.metadata.items():
            headers[f"x-amz-meta-{name}"] = value
        # The digest that is known anyway; the CRC-32 guards the bytes where there is none.
        digest = sha256 or UNSIGNED_PAYLOAD
        return Call(
            operation="PutObject",
            method="PUT",
            path=self._path(key),
            headers=headers,
            body=body,
            length=length,
            payload_hash=digest,
        )

    def finish(self, exchange: Exchange, scope: Scope) -> Success:
        return self._fast.finish(exchange, scope)

    def drop(self, exchange: Exchange, scope: Scope) -> None:
        self._fast.drop(exchange, scope)

    def start_head(self, key: str, scope: Scope) -> Exchange:
        """Ask for an object's size and checksum; `finish_head` reads the answer."""
        headers = {"host": self._host, "x-amz-checksum-mode": "ENABLED"}
        return self._fast.start(
            Call(operation="HeadObject", method="HEAD", path=self._path(key), headers=headers), scope
        )

    def finish_head(self, exchange: Exchange, scope: Scope) -> Present | None:
        """None when there is no such object."""
        try:
            headers = self._fast.finish(exchange, scope).headers
        except AwsError as error:
            if error.status == 404:
                return None
            raise
        crc = headers.get("x-amz-checksum-crc32")
        full = headers.get("x-amz-checksum-type", "FULL_OBJECT") == "FULL_OBJECT"
        return Present(
            int(headers.get("content-length", "-1")),
            crc_value(crc) if crc and full and "-" not in crc else None,
            headers.get("x-amz-meta-sha256"),
        )

    # --- an object in parts ------------------------------------------------------------------------------

    def create_upload(self, key: str, about: Description) -> str:
        """Begin a multipart upload that will be checked by its full-object CRC-32; returns its id."""
        answer = self._s3.create_multipart_upload(
            Bucket=self.bucket,
            Key=key,
            ChecksumAlgorithm="CRC32",
            ChecksumType="FULL_OBJECT",
            ContentType=about.content_type,
            Metadata=dict(about.metadata),
        )
        return str(answer["UploadId"])

    def upload_part(
        self, key: str, upload_id: str, buffers: Sequence[Buffer], scope: Scope, *, number: int, crc: int
    ) -> UploadedPart:
        """Send one part. Its CRC-32 goes with it, so S3 refuses what was damaged on the way."""
        size = sum(map(len, buffers))
        headers = {
            "host": self._host,
            "x-amz-checksum-crc32": crc_text(crc),
            "x-amz-sdk-checksum-algorithm": "CRC32",
        }
        path = self._part_path(key, upload_id, number)
        answer = self._fast.call(
            Call(operation="UploadPart", method="PUT", path=path, headers=headers, body=buffers, length=size),
            scope,
        )
        return UploadedPart(number, answer.headers.get("etag", ""), crc, size)

    def open_part(self, key: str, upload_id: str, size: int, scope: Scope, *, number: int) -> "StreamedPart":
        """Begin a part whose bytes are sent as they come; its CRC-32 follows them."""
        headers = {
            "host": self._host,
            "content-encoding": "aws-chunked",
            "x-amz-decoded-content-length": str(size),
            "x-amz-trailer": "x-amz-checksum-crc32",
            "x-amz-sdk-checksum-algorithm": "CRC32",
        }
        path = self._part_path(key, upload_id, number)
        call = Call(
            operation="UploadPart",
            method="PUT",
            path=path,
            headers=headers,
            body=(),
            length=framed_length(size),
            payload_hash=UNSIGNED_TRAILER,
        )
        return StreamedPart(self._fast.open(call, scope), number, size)

    def _part_path(self, key: str, upload_id: str, number: int) -> str:
        return f"{self._path(key)}?partNumber={number}&uploadId={quote(upload_id, safe='-_.~')}"

    def complete_upload(
        self, key: str, upload_id: str, parts: Sequence[UploadedPart], crc: int, size: int
    ) -> None:
        """Make the object visible, provided that the whole has this CRC-32 and size."""
        self._s3.complete_multipart_upload(
            Bucket=self.bucket,
            Key=key,
            UploadId=upload_id,
            MultipartUpload={
                "Parts": [
                    {
                        "PartNumber": part.number,
                        "ETag": part.etag,
                        **({"ChecksumCRC32": crc_text(part.crc)} if part.crc is not None else {}),
                    }
                    for part in parts
                ]
            },
            ChecksumCRC32=crc_text(crc),
            ChecksumType="FULL_OBJECT",
            MpuObjectSize=size,
        )

    def abort_upload(self, key: str, upload_id: str) -> None:
        """Forget an upload and its parts; one that is already gone is fine. Raises AwsError, AwsUnreachable.

        Hundreds may have to be when a worker stops, and whatever their own work's scope says.
        """
        path = f"{self._path(key)}?uploadId={quote(upload_id, safe='-_.~')}"
        try:
            with scope_of(Cancellation()) as scope:
                self._fast.call(
                    Call(
                        operation="AbortMultipartUpload",
                        method="DELETE",
                        path=path,
                        headers={"host": self._host},
                    ),
                    scope,
                )
        except AwsError as error:
            if error.status != 404:
                raise

    def uploaded_parts(self, key: str, upload_id: str) -> list[UploadedPart]:
        """The parts that an unfinished upload already holds, in order; [] when the upload is gone."""
        parts: list[UploadedPart] = []
        try:
            for page in self._s3.get_paginator("list_parts").paginate(
                Bucket=self.bucket, Key=key, UploadId=upload_id
            ):
                parts += [
                    UploadedPart(
                        p["PartNumber"],
                        p["ETag"],
                        crc_value(p["ChecksumCRC32"]) if "ChecksumCRC32" in p else None,
                        p["Size"],
                    )
                    for p in page.get("Parts", [])
                ]
        except ClientError as error:
            if error.response["Error"]["Code"] in {"NoSuchUpload", "404"}:
                return []
            raise
        return parts

    def list_from(self, prefix: str, start_after: str) -> tuple[dict[str, int], bool]:
        """One page of names and sizes below `prefix` after `start_after`, and whether more follow."""
        page = self._s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix, StartAfter=start_after)
        return {o["Key"]: o["Size"] for o in page.get("Contents", [])}, bool(page.get("IsTruncated"))


class StreamedPart:
    """A part on its way, sent as it comes."""

    def __init__(self, streaming: Streaming, number: int, size: int) -> None:
        self._streaming = streaming
        self._number = number
        self._size = size
        self._body = FramedBody(streaming.write)

    def write(self, data: Buffer) -> None:
        """Raises AwsError, AwsUnreachable, or what the scope ended with."""
        self._body.write(data)

    def finish(self) -> UploadedPart:
        """All has been written. Raises as `write` does."""
        self._body.finish(f"x-amz-checksum-crc32:{crc_text(self._body.crc32)}")
        answer = self._streaming.finish()
        return UploadedPart(self._number, answer.headers.get("etag", ""), self._body.crc32, self._size)

    def drop(self) -> None:
        self._streaming.drop()
