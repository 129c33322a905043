"""Holds what was really written against its contract."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import Binary
from jsonschema import Draft202012Validator

from ops.reference.schemas import schema


def held_against(contract: str, document: Mapping[str, Any]) -> None:
    """It is valid, and has no field that the contract does not name."""
    described = schema(contract)
    plain = json.loads(json.dumps(document, default=_plain))
    faults = [error.message for error in Draft202012Validator(described).iter_errors(plain)]
    assert not faults, f"{contract}: {faults} in {document}"
    assert not (unknown := undocumented(described, document)), f"{contract} does not name {unknown}"


def _plain(value: Any) -> Any:
    """A value as boto3 gives it, as JSON has it."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    assert isinstance(value, Binary | bytes), value
    return ""


def undocumented(described: Mapping[str, Any], document: Mapping[str, Any]) -> list[str]:
    """Fields of the document that its schema does not name."""
    patterns = described.get("patternProperties", {})
    return [
        name
        for name in document
        if name not in described["properties"] and not any(re.search(pattern, name) for pattern in patterns)
    ]


def contract_of(item: Mapping[str, Any]) -> str:
    """Which contract an item of the ledger is under, by its keys."""
    partition, key = item["export_job_id"], item["item"]
    if partition in {"#rate", "#permits"}:
        return f"ledger-{partition[1:]}"
    for pattern, name in (
        (r"JOB|COUNT|MESSAGE|CIRCUITS", f"ledger-{key.lower()}"),
        (r"TASK#[^#]+", "ledger-task"),
        (r"TASK#[^#]+#PART#\d+", "ledger-part"),
        (r"CHECKPOINT#.+", "ledger-checkpoint"),
    ):
        if re.fullmatch(pattern, key, re.DOTALL):
            return name
    raise AssertionError(f"no contract has the key {key}")
