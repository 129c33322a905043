"""Which AWS operation an HTTP request is, read off the wire: its target header, or S3's method and query."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from urllib.parse import parse_qs, unquote, urlsplit

_TARGETS = {
    "AmazonSQS": "sqs",
    "DynamoDB_20120810": "dynamodb",
    "AWSEvents": "events",
    "secretsmanager": "secretsmanager",
}
_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/[^/]+/([^/]+)/aws4_request")


@dataclass(frozen=True)
class Operation:
    """`name` is the API's own (`ReceiveMessage`, `UploadPart`); `query` has first values."""

    service: str
    name: str
    path: str
    query: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.service}.{self.name}"


def identify(method: str, target: str, headers: Mapping[str, str] | Message) -> Operation:
    """Never fails: what it does not know has the service `other` and is forwarded as it is."""
    url = urlsplit(target)
    path = unquote(url.path)
    query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
    service, _, name = headers.get("X-Amz-Target", "").partition(".")
    if service in _TARGETS:
        return Operation(_TARGETS[service], name, path, query)
    scope = _SCOPE.search(headers.get("Authorization", ""))
    if scope and scope[1] == "s3":
        return Operation("s3", _s3_name(method, path, query, headers), path, query)
    return Operation("other", method, path, query)


def _s3_name(method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str] | Message) -> str:
    _, _, key = path.strip("/").partition("/")
    if not key:
        return {"GET": "ListObjectsV2", "HEAD": "HeadBucket", "POST": "DeleteObjects"}.get(
            method, f"{method}Bucket"
        )
    copies = "x-amz-copy-source" in headers
    match method:
        case "PUT" if "uploadId" in query:
            return "UploadPartCopy" if copies else "UploadPart"
        case "PUT":
            return "CopyObject" if copies else "PutObject"
        case "POST":
            return "CreateMultipartUpload" if "uploads" in query else "CompleteMultipartUpload"
        case "DELETE":
            return "AbortMultipartUpload" if "uploadId" in query else "DeleteObject"
        case "GET":
            return "ListParts" if "uploadId" in query else "GetObject"
    return "HeadObject"
