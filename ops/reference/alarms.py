"""docs/reference/alarms.md: every alarm of every environment, from the synthesized templates."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ops.reference.pages import page, section, table

_RUNBOOK = " Runbook: "


def render(assembly: Path) -> str:
    """The page for a synthesized assembly."""
    alarms: dict[tuple[str, str, str], list[str]] = {}
    themes: dict[tuple[str, str], list[str]] = {}
    for environment, path, resource in _resources(assembly):
        properties = resource["Properties"]
        name = path.removeprefix(f"{environment}/").removesuffix("/Resource")
        if resource["Type"] == "AWS::CloudWatch::CompositeAlarm":
            when = properties["AlarmDescription"].partition(_RUNBOOK)[0].removeprefix(f"{environment}: ")
            themes.setdefault((name, when), []).append(environment)
            continue
        meaning, _, link = properties["AlarmDescription"].partition(_RUNBOOK)
        anchor = link.partition("#")[2]
        alarms.setdefault((name, meaning, anchor), []).append(environment)
    return page(
        "Alarms",
        "A composite alarm for each theme tells people; the alarms behind it say what is wrong, and each "
        "links to its section of the [runbook](../runbook.md).",
        section(
            "What tells people",
            table(
                ("composite alarm", "when", "where"),
                (
                    (f"`{name}`", when, ", ".join(sorted(where)))
                    for (name, when), where in sorted(themes.items())
                ),
            ),
        ),
        section(
            "What they are made of",
            table(
                ("alarm", "what it means", "runbook", "where"),
                (
                    (
                        f"`{name}`",
                        meaning,
                        f"[{anchor.replace('-', ' ')}](../runbook.md#{anchor})",
                        ", ".join(sorted(where)),
                    )
                    for (name, meaning, anchor), where in sorted(alarms.items())
                ),
            ),
        ),
    )


def _resources(assembly: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for file in sorted(assembly.glob("assembly-*/*.template.json")):
        for logical_id, resource in json.loads(file.read_text())["Resources"].items():
            if resource["Type"] in {"AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"}:
                path = resource.get("Metadata", {}).get("aws:cdk:path", logical_id)
                yield path.partition("/")[0], path, resource
