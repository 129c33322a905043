"""The two HTTP messages of an exchange as the proxy handles them, whole in memory."""

import json
from copy import deepcopy
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

from local.faults.proxy.operations import Operation


@dataclass(kw_only=True)
class Request:
    """One request of a client; rules may change its body before it is forwarded."""

    method: str
    target: str
    headers: Message  # case-insensitive
    body: bytes
    operation: Operation
    changed: bool = False  # it is not what the client signed

    def json(self) -> dict[str, Any]:
        document = json.loads(self.body)
        assert isinstance(document, dict), self.body
        return document

    def with_json(self, document: dict[str, Any], *, operation: str | None = None) -> "Request":
        """The same caller's request with another body and, if named, for another operation of the service."""
        changed = self.with_body(json.dumps(document).encode())
        if operation:
            prefix = self.headers["X-Amz-Target"].partition(".")[0]
            changed.headers.replace_header("X-Amz-Target", f"{prefix}.{operation}")
        return changed

    def as_head(self) -> "Request":
        """The same caller asks about the same object."""
        headers = Message()
        for name in ("Host", "Authorization", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-SHA256"):
            if name in self.headers:
                headers[name] = self.headers[name]
        return Request(
            method="HEAD",
            target=self.target.partition("?")[0],
            headers=headers,
            body=b"",
            operation=self.operation,
            changed=True,
        )

    def with_body(self, body: bytes) -> "Request":
        return Request(
            method=self.method,
            target=self.target,
            headers=deepcopy(self.headers),
            body=body,
            operation=self.operation,
            changed=True,
        )


@dataclass
class Response:
    """One answer, the server's or one made up here."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> dict[str, Any]:
        document = json.loads(self.body or b"{}")
        assert isinstance(document, dict), self.body
        return document

    def with_json(self, document: dict[str, Any]) -> "Response":
        # The length and the body's own checksum are of the old body.
        kept = [(n, v) for n, v in self.headers if n.lower() not in ("content-length", "x-amz-crc32")]
        return Response(self.status, kept, json.dumps(document).encode())


JSON_TYPE = "application/x-amz-json-1.0"


def json_answer(document: dict[str, Any], status: int = 200) -> Response:
    return Response(status, [("Content-Type", JSON_TYPE)], json.dumps(document).encode())
