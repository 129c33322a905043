"""The runtime's own description of its variables, runtime/settings.schema.json, and what it would refuse.

It is generated there and read here, so that a misspelt variable or value fails the synth instead of the
deployment.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jsonschema import Draft202012Validator, FormatChecker

SETTINGS_SCHEMA = Path(__file__).resolve().parents[1] / "runtime" / "settings.schema.json"
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_FORMATS = FormatChecker(formats=())


@cache
def settings_schema() -> dict[str, dict[str, dict[str, Any]]]:
    """Service → variable → its JSON Schema, with `required` beside it."""
    schema: dict[str, dict[str, dict[str, Any]]] = json.loads(SETTINGS_SCHEMA.read_text())
    return schema


def as_text(value: object) -> str:
    """A value as the runtime reads it from its environment."""
    if isinstance(value, (Mapping, tuple, list)):
        return json.dumps(value, ensure_ascii=False)
    return str(value).lower() if isinstance(value, bool) else str(value)


def faults(rule: Mapping[str, Any], text: str) -> Iterator[str]:
    """The runtime's objection to this text as the value of a variable with this rule."""
    described = {key: part for key, part in rule.items() if key != "required"}
    validator = Draft202012Validator(described, format_checker=_FORMATS)
    for error in validator.iter_errors(_parse(text, rule["type"])):
        yield error.message


@_FORMATS.checks("jmespath", raises=JMESPathError)
def _is_jmespath(value: object) -> bool:
    if isinstance(value, str) and value:
        jmespath.compile(value)
    return True


def _parse(text: str, type_: str) -> object:
    """The text as the type that is wanted; unchanged, and so refused by the schema, when it is none."""
    try:
        match type_:
            case "integer":
                return int(text)
            case "number":
                return float(text)
            case "boolean":
                return _BOOLEANS.get(text.lower(), text)
            case "array" | "object":
                return json.loads(text)
    except ValueError:
        pass
    return text
