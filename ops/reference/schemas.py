"""Writes docs/contracts/*.schema.json from the models."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from ops.reference import documents, ledger_items
from runtime.shared.contracts import DownloadTask, ExportJobsMessage, JobCountRequest
from runtime.worker.manifest.manifest import Manifest

FOLDER = Path(__file__).parents[2] / "docs/contracts"

CONTRACTS: Mapping[str, type[Any]] = {
    "export-jobs-message": ExportJobsMessage,
    "download-task-message": DownloadTask,
    "job-count-message": JobCountRequest,
    "manifest": Manifest,
    "entry-line": documents.EntryLine,
    "missing-line": documents.MissingLine,
    "object-metadata": documents.ObjectMetadata,
    "dead-letter-attributes": documents.DeadLetterAttributes,
    "hand-over-attributes": documents.HandOverAttributes,
    "ledger-job": ledger_items.JobItem,
    "ledger-task": ledger_items.TaskItem,
    "ledger-part": ledger_items.PartItem,
    "ledger-count": ledger_items.CountItem,
    "ledger-checkpoint": ledger_items.CheckpointItem,
    "ledger-message": ledger_items.MessageItem,
    "ledger-circuits": ledger_items.CircuitsItem,
    "ledger-rate": ledger_items.RateItem,
    "ledger-permits": ledger_items.PermitsItem,
}
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Untitled(GenerateJsonSchema):
    """A field's name says what its title would repeat."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  pydantic's signature
        return False


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of one contract."""
    described = TypeAdapter(CONTRACTS[name]).json_schema(schema_generator=_Untitled)
    return {"$schema": _DIALECT, **_without_null(described)}


def _without_null(node: Any) -> Any:
    """The schema without the nulls and defaults of fields that are left out when there is nothing to say."""
    if isinstance(node, list):
        return [_without_null(item) for item in node]
    if not isinstance(node, dict):
        return node
    options = node.get("anyOf", [])
    if node.get("default", ...) is None and {"type": "null"} in options:
        rest = [option for option in options if option != {"type": "null"}]
        node = {key: value for key, value in node.items() if key not in {"anyOf", "default"}}
        node |= rest[0] if len(rest) == 1 else {"anyOf": rest}
    return {key: _without_null(value) for key, value in node.items()}


def files() -> dict[Path, str]:
    """The files that belong into the folder."""
    return {
        FOLDER / f"{name}.schema.json": json.dumps(schema(name), indent=2, ensure_ascii=False) + "\n"
        for name in CONTRACTS
    }
