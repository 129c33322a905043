"""The JSON of DynamoDB and SQS in botocore's terms: binary values are bytes here, base64 on the wire."""

import base64
import json
from typing import Any

_encode = json.JSONEncoder(separators=(",", ":"), default=lambda data: base64.b64encode(data).decode()).encode


def write_json(document: Any) -> bytes:
    return _encode(document).encode()


def read_json(body: bytes) -> Any:
    """Raises ValueError."""
    # Binary values are rare, and looking at each object for one costs as much as reading it.
    if b'"B":' in body or b'"BinaryValue":' in body:
        return json.loads(body, object_hook=_with_binary)
    return json.loads(body)


def _with_binary(value: dict[str, Any]) -> dict[str, Any]:
    for name in ("B", "BinaryValue"):
        # An attribute of an item may be called B, too; its value is an object then.
        if isinstance(text := value.get(name), str):
            value[name] = base64.b64decode(text)
    return value
