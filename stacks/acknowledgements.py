"""Policy findings that we live with: said where they arise, with a reason, for as long as they arise.

cdk-nag is silent about an acknowledgement that matches nothing, so one outlives the finding it was for and
hides the next. `stale` finds those in a synthesized assembly and `app.py` refuses them; `inventory` lists the
others for reviewers.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from constructs import IConstruct

PACKS = ("AwsSolutions", "NIST.800.53.R5")
# The CDK's own rules; its constructs acknowledge some of them themselves, needed or not.
_CDK = "CloudFormation-Validate"
REPORT = "validation-report.json"
_METADATA_TYPE = "aws:cdk:acknowledged-rules"

INLINE_POLICY = "The policy is one role's alone: inline, it comes, changes and goes with that role"


class StaleAcknowledgements(ValueError):
    """Acknowledgements that match no finding any more, a sentence each."""

    def __init__(self, sentences: Sequence[str]) -> None:
        super().__init__("\n".join(sentences))


@dataclass(frozen=True, order=True)
class Acknowledged:
    """One finding that is acknowledged: where it was said, which rule, on which resources, and why."""

    scope: str
    rule: str
    reason: str
    resources: tuple[str, ...]


def acknowledge(construct: IConstruct, reasons: Mapping[str, str]) -> None:
    """Acknowledge rules (by id, as the finding prints it) for this construct and what is inside it."""
    # The id has to be qualified by its pack: a bare one suppresses the finding and leaves no record of it.
    cdk.Validations.of(construct).acknowledge(
        *(cdk.Acknowledgment(id=f"{_pack(rule)}::{rule}", reason=reason) for rule, reason in reasons.items())
    )


def wildcard(resource: str) -> str:
    """The rule's id for a wildcard in this resource, the way cdk-nag spells the finding."""
    return f"AwsSolutions-IAM5[Resource::{resource}]"


def inventory(assembly: Path) -> list[Acknowledged]:
    """Every acknowledged finding in a synthesized assembly (`cdk.out`), sorted by scope and rule."""
    report = json.loads((assembly / REPORT).read_text())
    found: dict[tuple[str, str, str], set[str]] = {}
    for plugin in report["pluginReports"]:
        if plugin["pluginName"] not in PACKS:
            continue
        for finding in plugin.get("suppressedViolations", ()):
            key = (finding["acknowledgedAt"], finding["acknowledgedId"].split("::", 1)[1], finding["reason"])
            found.setdefault(key, set()).update(
                construct["constructPath"] for construct in finding["violatingConstructs"]
            )
    return sorted(Acknowledged(*key, tuple(sorted(paths))) for key, paths in found.items())


def stale(assembly: Path) -> list[str]:
    """A sentence for each acknowledgement in the assembly that no finding matches."""
    used = {(item.scope, item.rule) for item in inventory(assembly)}
    return [
        f"{scope}: the acknowledgement of {rule} matches no finding any more. Remove it, or correct its id."
        for scope, rule in sorted(set(_said(assembly)) - used)
    ]


def _pack(rule: str) -> str:
    return next((pack for pack in PACKS if rule.startswith(pack)), _CDK)


def _said(assembly: Path) -> Iterator[tuple[str, str]]:
    for file in assembly.glob("assembly-*/*.metadata.json"):
        metadata: dict[str, list[dict[str, Any]]] = json.loads(file.read_text())
        for path, entries in metadata.items():
            for entry in entries:
                if entry["type"] == _METADATA_TYPE:
                    for rule in entry["data"]:
                        pack, _, name = rule.partition("::")
                        if pack in PACKS:
                            yield path.removeprefix("/"), name
