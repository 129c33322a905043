"""Writes runtime/settings.schema.json: every variable of every service, for those who deploy them.

`python -m runtime.shared.settings_schema`; a test keeps the file fresh, and the stacks check task definitions
against it.
"""

import importlib
import json
from pathlib import Path
from typing import Any

from runtime.shared.settings import CommonSettings

SERVICES = ("orchestrator", "worker")
PATH = Path(__file__).parents[1] / "settings.schema.json"


def describe(settings: type[CommonSettings]) -> dict[str, Any]:
    """Each variable's JSON Schema, with `required` beside it."""
    schema = settings.model_json_schema()
    required = set(schema.get("required", ()))
    described = {}
    for name, found in schema["properties"].items():
        kept = {key: value for key, value in found.items() if key not in {"title", "description"}}
        described[name.upper()] = {"required": name in required, **kept}
    return dict(sorted(described.items()))


def document() -> str:
    """The file's content."""
    services = {}
    for service in SERVICES:
        # By name, because nothing here may depend on the services.
        module = importlib.import_module(f"runtime.{service}.settings")
        services[service] = describe(getattr(module, f"{service.capitalize()}Settings"))
    return json.dumps(services, indent=2) + "\n"


if __name__ == "__main__":
    PATH.write_text(document())
