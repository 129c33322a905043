"""The inventory of acknowledged policy findings, from the synth's validation report."""

import json
from dataclasses import dataclass
from pathlib import Path

REPORT = "validation-report.json"


@dataclass(frozen=True, order=True)
class Acknowledgement:
    """One rule acknowledged at one construct (path below the environment) with its reason."""

    rule: str
    at: str
    reason: str
    environments: tuple[str, ...]


def read_acknowledgements(assembly: Path) -> list[Acknowledgement]:
    """Every acknowledgement that took effect; none when the synth wrote no report."""
    path = assembly / REPORT
    if not path.exists():
        return []
    found: dict[tuple[str, str, str], set[str]] = {}
    for report in json.loads(path.read_text(encoding="utf-8")).get("pluginReports", []):
        for entry in report.get("suppressedViolations", []):
            environment, _, construct = entry.get("acknowledgedAt", "").partition("/")
            rule = entry.get("acknowledgedId", entry["ruleName"])
            found.setdefault((rule, construct, entry.get("reason", "")), set()).add(environment)
    return sorted(
        Acknowledgement(rule, at, reason, tuple(sorted(environments)))
        for (rule, at, reason), environments in found.items()
    )
