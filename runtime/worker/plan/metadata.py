"""The metadata of an archive's entries in DynamoDB: read for all of them before a payload byte moves.

Items are read as DynamoDB sends them, without a general deserialiser: that halves the cost of a table read
with 100,000 items. An item of the wrong shape makes an entry's verdict, never an exception.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.shared.aws_client.client import AwsClient, Call, Exchange
from runtime.shared.aws_client.errors import AwsError
from runtime.shared.backoff import Backoff
from runtime.shared.scope import Scope

KEYS_PER_CALL = 100
_CALLS_IN_FLIGHT = 8
_ATTEMPTS = 12  # in a row, without one more item
_BACK_OFF_BASE_S = 0.1
_BACK_OFF_MAX_S = 5.0
_THROTTLED = "ProvisionedThroughputExceededException"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DEFAULT_CONTENT_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Expected:
    """A file that should be there."""

    size: int
    sha256: str | None
    content_type: str
    destination_key: str | None


@dataclass(frozen=True, slots=True)
class InvalidItem:
    """An item that is there but says nothing usable; `detail` names the attribute."""

    detail: str


MetadataItem = Expected | InvalidItem


@dataclass(frozen=True, kw_only=True)
class Attributes:
    """The table and its attributes' names: settings, because the table is somebody else's."""

    table: str
    job: str = "export_job_id"
    path: str = "file_path"
    size: str = "size"
    sha256: str = "sha256"
    content_type: str = "content_type"
    destination: str = "destination_key"


class MetadataTable:
    """Reads the items of one job's files."""

    def __init__(self, tables: AwsClient, attributes: Attributes) -> None:
        self._tables = tables
        self._attributes = attributes
        names = (
            attributes.path,
            attributes.size,
            attributes.sha256,
            attributes.content_type,
            attributes.destination,
        )
        # Names may be DynamoDB's reserved words ("size" is one), so all of them go by placeholder.
        self._frame = {
            "ProjectionExpression": ",".join(f"#{index}" for index in range(len(names))),
            "ExpressionAttributeNames": {f"#{index}": name for index, name in enumerate(names)},
        }

    def read(self, export_job_id: str, paths: Sequence[str], scope: Scope) -> dict[str, MetadataItem]:
        """The items for these paths; a path without an item is missing from the result.

        Raises AwsError, AwsUnreachable, or what the scope ended with.
        """
        found: dict[str, MetadataItem] = {}
        in_flight: list[Exchange] = []
        for batch in _batches(paths):
            in_flight.append(self._start(export_job_id, batch, scope))
            if len(in_flight) == _CALLS_IN_FLIGHT:
                self._finish(in_flight.pop(0), found, scope)
        while in_flight:
            self._finish(in_flight.pop(0), found, scope)
        return found

    def _start(self, export_job_id: str, paths: Sequence[str], scope: Scope) -> Exchange:
        names = self._attributes
        job = {"S": export_job_id}
        return self._start_keys([{names.job: job, names.path: {"S": path}} for path in paths], scope)

    def _start_keys(self, keys: Sequence[Any], scope: Scope) -> Exchange:
        request = {"RequestItems": {self._attributes.table: {"Keys": keys, **self._frame}}}
        body = json.dumps(request, separators=(",", ":")).encode()
        headers = {
            "host": self._tables.endpoint.authority,
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": "DynamoDB_20120810.BatchGetItem",
        }
        digest = hashlib.sha256(body).hexdigest()
        path = self._tables.endpoint.base_path or "/"
        return self._tables.start(
            Call(
                operation="BatchGetItem",
                method="POST",
                path=path,
                headers=headers,
                body=(body,),
                length=len(body),
                payload_hash=digest,
            ),
            scope,
        )

    def _finish(self, exchange: Exchange, found: dict[str, MetadataItem], scope: Scope) -> None:
        table, path_name = self._attributes.table, self._attributes.path
        backoff = Backoff(scope.wait, attempts=_ATTEMPTS, base_s=_BACK_OFF_BASE_S, max_s=_BACK_OFF_MAX_S)
        asked = KEYS_PER_CALL
        while True:
            answer = json.loads(self._tables.finish(exchange, scope).body)
            for item in answer.get("Responses", {}).get(table, ()):
                found[item[path_name]["S"]] = self._read_item(item)
            left = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys")
            if not left:
                return
            if len(left) < asked:
                backoff.reset()  # slow, but it moves
            asked = len(left)
            if not backoff.failed():
                raise AwsError("BatchGetItem", 400, _THROTTLED, f"{asked} keys stay unprocessed")
            exchange = self._start_keys(left, scope)

    def _read_item(self, item: dict[str, dict[str, Any]]) -> MetadataItem:
        names = self._attributes
        size = item.get(names.size, {}).get("N")
        if not isinstance(size, str) or not size.isdecimal():
            return InvalidItem(f"{names.size} is not a whole number (N)")
        sha256 = _text(item, names.sha256)
        if sha256 is not None:
            sha256 = sha256.lower() if isinstance(sha256, str) else ""
            if not _SHA256.fullmatch(sha256):
                return InvalidItem(f"{names.sha256} is not 64 hexadecimal digits (S)")
        content_type = _text(item, names.content_type)
        if content_type is not None and not _is_header_value(content_type):
            return InvalidItem(f"{names.content_type} is not a content type (S)")
        destination = _text(item, names.destination)
        if destination is not None and not isinstance(destination, str):
            return InvalidItem(f"{names.destination} is not a string (S)")
        kind = " ".join(content_type.split()) if isinstance(content_type, str) else ""
        return Expected(int(size), sha256, kind or _DEFAULT_CONTENT_TYPE, destination or None)


_WRONG_TYPE = object()


def _text(item: dict[str, dict[str, Any]], name: str) -> Any:
    """The string in an attribute; None when it is absent or NULL, and something else when of another type."""
    value = item.get(name)
    if value is None or "NULL" in value:
        return None
    return value.get("S", _WRONG_TYPE)


def _is_header_value(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable() and len(value) <= 255


def _batches(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(paths), KEYS_PER_CALL):
        yield paths[start : start + KEYS_PER_CALL]
