"""The checks that S3 makes and moto does not: the digests of what is sent, before it becomes visible.

A body that is not what its sender announced is refused with BadDigest, a part list with InvalidPart, and
a multipart upload whose full-object CRC-32 does not follow from its parts with BadDigest.
"""

import base64
import hashlib
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from isal.isal_zlib import crc32_combine

from local.faults.proxy import answers
from local.faults.proxy.exchange import Request, Response

_CHECKSUMS: dict[str, Callable[[bytes], bytes]] = {
    "x-amz-checksum-crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "x-amz-checksum-sha256": lambda data: hashlib.sha256(data).digest(),
    "x-amz-checksum-sha1": lambda data: hashlib.sha1(data).digest(),
    "content-md5": lambda data: hashlib.md5(data).digest(),
}


class NotChunked(ValueError):
    """A body that says it is aws-chunked and is not."""


@dataclass(frozen=True)
class _Part:
    crc32: int
    length: int


class S3Rules:
    """Remembers the parts of uploads in progress. Called from many threads."""

    def __init__(self) -> None:
        self._uploads: dict[str, dict[int, _Part]] = {}
        self._lock = threading.Lock()

    def refusal(self, request: Request) -> Response | None:
        """The answer of S3 to a request it would not apply, or None."""
        operation = request.operation
        match operation.name:
            case "PutObject" | "UploadPart":
                return self._judge_body(request)
            case "CompleteMultipartUpload":
                return self._judge_completion(request)
        return None

    def applied(self, request: Request) -> None:
        """To be called when the server has accepted the request: a part counts only from then on."""
        operation = request.operation
        upload_id = operation.query.get("uploadId", "")
        with self._lock:
            if operation.name == "UploadPart":
                data = content(request)
                parts = self._uploads.setdefault(upload_id, {})
                parts[int(operation.query["partNumber"])] = _Part(zlib.crc32(data), len(data))
            elif operation.name in ("CompleteMultipartUpload", "AbortMultipartUpload"):
                self._uploads.pop(upload_id, None)

    def _judge_body(self, request: Request) -> Response | None:
        try:
            data, trailers = decoded(request)
        except NotChunked as error:
            return answers.s3_error(request.operation, 400, "IncompleteBody", str(error))
        announced = {**{name.lower(): value for name, value in request.headers.items()}, **trailers}
        if "x-amz-decoded-content-length" in announced and int(
            announced["x-amz-decoded-content-length"]
        ) != len(data):
            return answers.s3_error(
                request.operation, 400, "IncompleteBody", "The decoded length is another."
            )
        for name, digest in _CHECKSUMS.items():
            if name in announced and announced[name] != base64.b64encode(digest(data)).decode():
                return _bad_digest(request, name)
        signed = announced.get("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        if len(signed) == 64 and signed != hashlib.sha256(data).hexdigest():
            return answers.s3_error(
                request.operation, 400, "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            )  # fmt: skip
        return None

    def _judge_completion(self, request: Request) -> Response | None:
        with self._lock:
            known = dict(self._uploads.get(request.operation.query["uploadId"], {}))
        total, length = 0, 0
        for number, announced in _listed_parts(request.body):
            part = known.get(number)
            if part is None:
                # A part from before this proxy, or none at all: the server knows.
                return None
            if announced is not None and announced != _encoded(part.crc32):
                return answers.s3_error(
                    request.operation, 400, "InvalidPart", f"Part {number} has another checksum."
                )
            total, length = crc32_combine(total, part.crc32, part.length), length + part.length
        expected = request.headers.get("x-amz-checksum-crc32")
        if (
            expected
            and request.headers.get("x-amz-checksum-type") != "COMPOSITE"
            and expected != _encoded(total)
        ):
            return _bad_digest(request, "x-amz-checksum-crc32")
        size = request.headers.get("x-amz-mp-object-size")
        if size and int(size) != length:
            return answers.s3_error(
                request.operation, 400, "InvalidRequest", "The object has another size than announced."
            )
        return None


def content(request: Request) -> bytes:
    """The object bytes of an upload, without the chunking around them."""
    return decoded(request)[0]


def decoded(request: Request) -> tuple[bytes, dict[str, str]]:
    """The object bytes and the trailers of an upload. Raises NotChunked."""
    if "aws-chunked" not in request.headers.get("Content-Encoding", "") and not request.headers.get(
        "x-amz-content-sha256", ""
    ).startswith("STREAMING-"):
        return request.body, {}
    pieces: list[bytes] = []
    rest = request.body
    while True:
        header, separator, rest = rest.partition(b"\r\n")
        try:
            length = int(header.partition(b";")[0], 16)
        except ValueError:
            length = -1
        if not separator or length < 0 or len(rest) < length:
            raise NotChunked("The aws-chunked body ends before its last chunk.")
        if length == 0:
            break
        pieces.append(rest[:length])
        rest = rest[length:].removeprefix(b"\r\n")
    trailers = {}
    for line in rest.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            trailers[name.decode().strip().lower()] = value.decode().strip()
    return b"".join(pieces), trailers


def _listed_parts(body: bytes) -> list[tuple[int, str | None]]:
    """Part numbers and CRC-32s as CompleteMultipartUpload lists them."""
    parts = []
    for part in ET.fromstring(body).iter():
        if part.tag.rpartition("}")[2] == "Part":
            fields = {child.tag.rpartition("}")[2]: child.text or "" for child in part}
            parts.append((int(fields["PartNumber"]), fields.get("ChecksumCRC32")))
    return parts


def _encoded(crc32: int) -> str:
    return base64.b64encode(crc32.to_bytes(4, "big")).decode()


def _bad_digest(request: Request, name: str) -> Response:
    return answers.s3_error(
        request.operation, 400, "BadDigest", f"The {name} you specified did not match what we received."
    )
