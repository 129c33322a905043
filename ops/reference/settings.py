"""docs/reference/settings.md: every variable of both services."""

import json
from typing import Any

from ops.reference.pages import page, section, table
from runtime.orchestrator.settings import OrchestratorSettings
from runtime.shared.settings import CommonSettings
from runtime.worker.settings import WorkerSettings

_BOUNDS = {
    "exclusiveMinimum": "> {}",
    "minimum": "≥ {}",
    "exclusiveMaximum": "< {}",
    "maximum": "≤ {}",
    "minLength": "at least {} character",
    "pattern": "`{}`",
}


def render() -> str:
    orchestrator, worker = _described(OrchestratorSettings), _described(WorkerSettings)
    both = {name for name in orchestrator.keys() & worker.keys() if orchestrator[name] == worker[name]}
    return page(
        "Settings",
        "What the services read from their environment. An environment sets them by its typed values "
        "([environments](../environments.md)), or one by one with `settings` of a service; synth checks all "
        "of them against `runtime/settings.schema.json`. A service that is started with a value that cannot "
        "be right says so and exits with code 2.",
        section("Both services", _table({name: orchestrator[name] for name in both})),
        section("Orchestrator", _table({n: row for n, row in orchestrator.items() if n not in both})),
        section("Worker", _table({n: row for n, row in worker.items() if n not in both})),
    )


def _described(settings: type[CommonSettings]) -> dict[str, tuple[str, str, str]]:
    """By variable: what it may be, its default, and what it is for."""
    schema = settings.model_json_schema()
    required = schema.get("required", ())
    return {
        name.upper(): (
            _type(field, schema.get("$defs", {})),
            "required" if name in required else _default(field["default"]),
            field.get("description", ""),
        )
        for name, field in schema["properties"].items()
    }


def _default(value: Any) -> str:
    """As one writes it into the environment; nothing for an empty text, list or mapping."""
    if value in ("", [], {}):
        return ""
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _type(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "$ref" in field:
        field = {**definitions[field["$ref"].rpartition("/")[2]], **field}
    words = [str(field["const"])] if "const" in field else [str(word) for word in field.get("enum", ())]
    if words:
        return ", ".join(f"`{word}`" for word in words)
    kinds = [option.get("type", "") for option in field.get("anyOf", [field])]
    bounds = [text.format(field[name]) for name, text in _BOUNDS.items() if name in field]
    return ", ".join([" or ".join(kind for kind in kinds if kind), *bounds])


def _table(rows: dict[str, tuple[str, str, str]]) -> str:
    return table(
        ("variable", "type", "default", "meaning"),
        ([f"`{name}`", *rows[name]] for name in sorted(rows)),
    )
