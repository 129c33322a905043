"""The inventory of acknowledged policy findings, from the synth's validation report."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

REPORT = "validation-report.json"
_ACCOUNT = re.compile(r"(?<!\d)\d{12}(?!\d)")


@dataclass(frozen=True, order=True)
class Acknowledgement:
    """One rule acknowledged for one reason: where (paths below the environment) and in which environments."""

    rule: str
    reason: str
    at: tuple[str, ...]
    environments: tuple[str, ...]


def read_acknowledgements(assembly: Path) -> list[Acknowledgement]:
    """Every acknowledgement that took effect; none when the synth wrote no report.

    A finding in a rule's id (`IAM5[Resource::…]`) loses what differs only by environment and account.
    """
    path = assembly / REPORT
    if not path.exists():
        return []
    constructs: dict[tuple[str, str], set[str]] = {}
    environments: dict[tuple[str, str], set[str]] = {}
    for report in json.loads(path.read_text(encoding="utf-8")).get("pluginReports", []):
        for entry in report.get("suppressedViolations", []):
            environment, _, construct = entry.get("acknowledgedAt", "").partition("/")
            rule = entry.get("acknowledgedId", entry["ruleName"])
            # The pack is named twice: AwsSolutions::AwsSolutions-S1.
            rule = _ACCOUNT.sub("<account>", rule.partition("::")[2] or rule)
            rule = rule.replace(f"-{environment}", "-<environment>")
            key = (rule, entry.get("reason", ""))
            constructs.setdefault(key, set()).add(construct)
            environments.setdefault(key, set()).add(environment)
    return sorted(
        Acknowledgement(*key, tuple(sorted(constructs[key])), tuple(sorted(environments[key])))
        for key in constructs
    )
