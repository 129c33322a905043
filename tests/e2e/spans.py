"""The spans that the tasks wrote, read back from the file's OTLP."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Span:
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    service: str
    failed: bool
    attributes: dict[str, Any]


def read_spans(path: Path) -> list[Span]:
    """Every complete line's; ids are hexadecimal, a root's `parent_id` is empty."""
    if not path.exists():
        return []
    text = path.read_text()
    return [span for line in text[: text.rfind("\n") + 1].splitlines() for span in _of(json.loads(line))]


def _of(request: dict[str, Any]) -> Iterator[Span]:
    for resource in request["resourceSpans"]:
        service = _attributes(resource["resource"])["service.name"]
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                yield Span(
                    trace_id=span["traceId"],
                    span_id=span["spanId"],
                    parent_id=span.get("parentSpanId", ""),
                    name=span["name"],
                    service=service,
                    failed=span["status"].get("code") == 2,
                    attributes=_attributes(span),
                )


def _attributes(of: dict[str, Any]) -> dict[str, Any]:
    return {
        pair["key"]: int(value) if kind == "intValue" else value
        for pair in of.get("attributes", ())
        for kind, value in pair["value"].items()
    }
