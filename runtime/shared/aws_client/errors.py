"""AWS's refusals, in words an operator can act on."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from runtime.shared.aws_client.documents import read_json

_CODE = re.compile(rb"<Code>([^<]*)</Code>")
_MESSAGE = re.compile(rb"<Message>([^<]*)</Message>")
_RETRYABLE_CODES = frozenset(
    {
        "BadDigest",  # damaged on the way: the data was checked before it was sent
        "ExpiredToken",  # the credentials are read afresh for every attempt
        "InternalError",
        "InternalServerError",
        "LimitExceededException",
        "OperationAborted",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeTooSkewed",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflictException",
    }
)


class AwsError(Exception):
    """An answer other than success, after the retries that make sense."""

    def __init__(
        self,
        operation: str,
        status: int,
        code: str,
        message: str,
        document: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        super().__init__(f"{operation} answered {status} {code}: {message}".rstrip(": "))
        self.operation = operation
        self.status = status
        self.code = code
        self.message = message
        self.document = document
        """All that a JSON service says of it."""

    @property
    def retryable(self) -> bool:
        return self.status >= 500 or self.status in (408, 429) or self.code in _RETRYABLE_CODES


class AwsUnreachable(Exception):
    """No answer: connections failed, broke or timed out at every attempt."""

    def __init__(self, operation: str, text: str) -> None:
        super().__init__(f"{operation}: {text}")
        self.operation = operation


def error_of(operation: str, status: int, body: bytes) -> AwsError:
    """The error in an XML (S3) or JSON (DynamoDB) body; a HEAD has none, then the status stands alone."""
    code = message = ""
    document: dict[str, Any] = {}
    if body.startswith(b"{"):
        try:
            document = read_json(body)
            code = str(document.get("__type", "")).rpartition("#")[2]
            message = str(document.get("message") or document.get("Message") or "")
        except ValueError:
            message = body[:200].decode("utf-8", "replace")
    elif found := _CODE.search(body):
        code = found[1].decode("utf-8", "replace")
        text = _MESSAGE.search(body)
        message = text[1].decode("utf-8", "replace") if text else ""
    return AwsError(operation, status, code, message, document)
