"""Runs every invariant on every environment at synth; a breach fails the synthesis like any other finding."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import aws_cdk as cdk
import jsii

from stacks.validation import (
    capacity,
    exposure,
    longest_work,
    patience,
    peak,
    retention,
    scaling,
    settings,
    stopping,
    task_size,
    visibility,
)
from stacks.validation.deployment import Deployment, Finding
from stacks.values import Environment

Check = Callable[[Deployment], Iterator[Finding]]
INVARIANTS: dict[str, Check] = {
    module.__name__.rpartition(".")[2].replace("_", "-"): module.check
    for module in (
        capacity,
        exposure,
        longest_work,
        peak,
        patience,
        retention,
        scaling,
        settings,
        stopping,
        task_size,
        visibility,
    )
}


@jsii.implements(cdk.IPolicyValidationPlugin)
class Invariants:
    """The policy-validation plugin; registered once, on the app."""

    def __init__(self, environments: Sequence[Environment]) -> None:
        self._environments = {environment.name: environment for environment in environments}

    @property
    def name(self) -> str:
        return "ExportProcessing"

    @property
    def version(self) -> str:
        return "1"

    @property
    def rule_ids(self) -> list[str]:
        return sorted(INVARIANTS)

    def validate(self, context: cdk.IPolicyValidationContext) -> cdk.PolicyValidationPluginReport:
        templates: dict[str, list[Path]] = {}
        for stack in context.stack_templates:
            environment = stack.stack_construct_path.split("/")[0]
            templates.setdefault(environment, []).append(Path(stack.template_path))
        violations = [
            cdk.PolicyViolation(
                rule_name=rule,
                description=finding.text,
                severity="error",
                violating_resources=[
                    cdk.PolicyViolatingResource(
                        construct_path=finding.resource.path.removesuffix("/Resource"),
                        resource_logical_id=finding.resource.logical_id,
                        template_path=finding.resource.template,
                        locations=[f"Properties/{finding.property_}"],
                    )
                ],
            )
            for name, paths in templates.items()
            if name in self._environments
            for rule, finding in findings(Deployment.read(self._environments[name], paths))
        ]
        return cdk.PolicyValidationPluginReport(success=not violations, violations=violations)


def findings(deployment: Deployment) -> Iterator[tuple[str, Finding]]:
    """Every breach in one environment, with the name of the invariant."""
    for rule, check in INVARIANTS.items():
        for finding in check(deployment):
            yield rule, finding
