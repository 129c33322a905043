"""docs/reference/events.md: every event, from its JSON Schema."""

import json
from typing import Any

from ops.reference.pages import ROOT, page, section, table


def render() -> str:
    found = sorted((ROOT / "docs/events").glob("*.schema.json"))
    return page(
        "Events",
        "On the environment's EventBridge bus, source `export-processing`. Each is said once and delivered "
        "at least once: a repeat has the same `event_id`.",
        *(_section(f"../events/{path.name}", json.loads(path.read_text())) for path in found),
    )


def _section(link: str, schema: dict[str, Any]) -> str:
    detail = schema["properties"]["detail"]
    rows = [
        (
            f"`{name}`",
            str(field.get("type", "")),
            "yes" if name in detail["required"] else "",
            field.get("description", ""),
        )
        for name, field in detail["properties"].items()
    ]
    example = json.dumps(schema["examples"][0], indent=2)
    return section(
        schema["title"],
        f"{schema['description']} [Schema]({link})\n\n"
        + table(("field of `detail`", "type", "always", "meaning"), rows)
        + f"\n```json\n{example}\n```\n",
    )
