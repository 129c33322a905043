"""The changes that CloudFormation refuses half-way: they need two deployments, with the steps to take.

It creates before it deletes, updates a producer before its consumers, and never takes back an export that
another stack still imports.
"""

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from ops.assembly.model import Resource, Stack
from ops.assembly.tokens import references, text_of
from ops.gate.diff import Replacement, ResourceChange
from ops.gate.model import STACK_ITSELF, ChangeKind, Finding
from ops.gate.rules.comparison import Comparison

_FIRST_FREE_THE_EXPORT = (
    "first: deploy the importing stack without the import; `stack.export_value(…)` keeps the export here",
    "then: remove the export, or replace what is behind it, in a second change",
)
_FIRST_MOVE_AWAY = (
    "first: add the new one with a range that is free, and move its users there",
    "then: remove the old one in a second change",
)
_FIRST_RENAME = (
    "either: give it another name in the same change, or none",
    "or: remove it in one change and add it in the next",
)


def step_findings(comparison: Comparison) -> Iterator[Finding]:
    """Exports in use taken back, overlapping subnets, and replacements under a name that is still taken."""
    if comparison.before is not None:
        yield from _exports(comparison, comparison.before)
        yield from _overlaps(comparison, comparison.before)
        yield from _names(comparison)


def _exports(comparison: Comparison, before: Stack) -> Iterator[Finding]:
    old, new = _exported(before), _exported(comparison.after)
    replaced = {
        change.resource.logical_id
        for change in comparison.changes
        if change.before and (change.after is None or change.replacement is Replacement.YES)
    }
    for name, value in sorted(old.items()):
        users = [
            stack.name
            for stack in comparison.neighbours_before.values()
            if stack.name != before.name and name in _imports(stack.template)
        ]
        if not users:
            continue
        behind = replaced & set(references(value))
        if name in new and text_of(new[name]) == text_of(value) and not behind:
            continue
        if name not in new:
            why = "it is removed"
        else:
            why = f"{', '.join(sorted(behind))} behind it is replaced" if behind else "its value changes"
        yield Finding(
            environment=comparison.after.environment,
            stack=comparison.after.name,
            resource=STACK_ITSELF,
            resource_type="stack",
            kind=ChangeKind.NEEDS_TWO_STEPS,
            text=f"the export {name} is in use by {', '.join(users)}: {why}",
            details=_FIRST_FREE_THE_EXPORT,
        )


def _exported(stack: Stack) -> dict[str, Any]:
    return {
        text_of(output["Export"]["Name"]): output.get("Value")
        for output in stack.template.get("Outputs", {}).values()
        if isinstance(output.get("Export"), dict)
    }


def _imports(value: Any) -> set[str]:
    if isinstance(value, dict):
        here = {text_of(value["Fn::ImportValue"])} if "Fn::ImportValue" in value else set()
        return here.union(*(_imports(item) for item in value.values()))
    if isinstance(value, list):
        return set().union(*(_imports(item) for item in value))
    return set()


def _overlaps(comparison: Comparison, before: Stack) -> Iterator[Finding]:
    """A new subnet in a range that an old one holds until the end of the deployment."""
    old = [(subnet, network) for subnet in before.of_type("AWS::EC2::Subnet") for network in _range(subnet)]
    for change in comparison.changes:
        if change.after is None or change.after.type != "AWS::EC2::Subnet" or not _is_made(change):
            continue
        if _vpc_is_new(comparison, change.after):
            continue
        for network in _range(change.after):
            held = [
                subnet.logical_id
                for subnet, taken in old
                if taken.version == network.version and taken.overlaps(network)
                and text_of(subnet.properties.get("VpcId")) == text_of(change.after.properties.get("VpcId"))
            ]  # fmt: skip
            if held:
                yield comparison.finding(
                    change.after,
                    ChangeKind.NEEDS_TWO_STEPS,
                    f"its range {network} is held by {', '.join(held)} until the deployment is over",
                    *_FIRST_MOVE_AWAY,
                )


def _is_made(change: ResourceChange) -> bool:
    return change.before is None or change.replacement is Replacement.YES


def _vpc_is_new(comparison: Comparison, subnet: Resource) -> bool:
    made = {change.resource.logical_id for change in comparison.changes if change.after and _is_made(change)}
    return bool(made & set(references(subnet.properties.get("VpcId"))))


def _range(subnet: Resource) -> list[IPv4Network | IPv6Network]:
    try:
        return [ip_network(text_of(subnet.properties.get("CidrBlock")), strict=False)]
    except ValueError:
        return []


def _names(comparison: Comparison) -> Iterator[Finding]:
    """A resource is created before the old one goes, so it cannot have the same fixed name."""
    leaving = {
        (change.before.type, name): change.before.logical_id
        for change in comparison.changes
        if change.before and change.after is None
        for name in _fixed_names(change.before)
    }
    for change in comparison.changes:
        if change.after is None or not _is_made(change):
            continue
        for name in _fixed_names(change.after):
            holder = leaving.get((change.after.type, name))
            if change.before and name in _fixed_names(change.before):
                holder = change.after.logical_id
            if holder:
                text = f"is created under the name {name}, which {holder} still has until the end"
                yield comparison.finding(
                    change.after,
                    ChangeKind.NEEDS_TWO_STEPS,
                    text,
                    *(f"because of {reason}" for reason in change.because),
                    *_FIRST_RENAME,
                )


def _fixed_names(resource: Resource) -> list[str]:
    short = resource.type.rpartition("::")[2]
    names = [resource.properties.get(key) for key in (f"{short}Name", "Name", "AliasName")]
    return [name for name in names if isinstance(name, str)]
