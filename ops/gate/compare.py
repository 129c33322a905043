"""Every finding about the difference between two synthesized assemblies."""

from dataclasses import replace

from ops.assembly.load import Assembly
from ops.assembly.model import Stack
from ops.gate.diff import Replacement, ResourceChange, diff_stacks
from ops.gate.iam import iam_findings, role_findings
from ops.gate.model import STACK_ITSELF, ChangeKind, Finding
from ops.gate.network import network_findings
from ops.gate.rules.comparison import Comparison, Rule
from ops.gate.rules.data import data_findings
from ops.gate.rules.elsewhere import elsewhere_findings
from ops.gate.rules.exposure import exposure_findings
from ops.gate.rules.lifecycle import lifecycle_findings
from ops.gate.rules.plain_secrets import plain_secret_findings
from ops.gate.rules.steps import step_findings
from ops.gate.rules.tasks import task_findings
from ops.gate.rules.watching import watching_findings
from ops.gate.stateful import STATEFUL_TYPES, moved_stack_findings, stateful_findings

# What a new environment is held to as well, and what only something that existed can lose.
_ACCESS_RULES: tuple[Rule, ...] = (
    role_findings,
    exposure_findings,
    elsewhere_findings,
    plain_secret_findings,
    task_findings,
)
_LOSS_RULES: tuple[Rule, ...] = (data_findings, lifecycle_findings, watching_findings, step_findings)


def compare(before: Assembly, after: Assembly) -> list[Finding]:
    """All findings in order of environment, stack and resource.

    A new environment has nothing to lose, and its access rules are held against the environment that
    existed before and is most like it, so that a copy of one passes and a looser one does not.
    """
    findings: list[Finding] = []
    for environment in sorted({key[0] for key in before.keys() | after.keys()}):
        changes = {
            key: diff_stacks(before.get(key), after.get(key))
            for key in sorted(before.keys() | after.keys())
            if key[0] == environment
        }
        findings += _access(environment, before, after)
        findings += _losses(environment, before, after, changes)
    return sorted(_with_the_rest(findings, before, after), key=_order)


def _access(environment: str, before: Assembly, after: Assembly) -> list[Finding]:
    mine = {key[1]: stack for key, stack in before.items() if key[0] == environment}
    siblings = sorted({key[0] for key in before} - {environment})
    if mine or not siblings:
        return _access_against(environment, mine, after)
    candidates = {
        sibling: _access_against(environment, {k[1]: s for k, s in before.items() if k[0] == sibling}, after)
        for sibling in siblings
    }
    nearest = min(siblings, key=lambda sibling: len(candidates[sibling]))
    note = f"compared with {nearest}: {environment} is new"
    return [replace(finding, details=(*finding.details, note)) for finding in candidates[nearest]]


def _access_against(environment: str, old: dict[str, Stack], after: Assembly) -> list[Finding]:
    findings: list[Finding] = []
    new = {key[1]: stack for key, stack in after.items() if key[0] == environment}
    for name, stack in new.items():
        was = old.get(name)
        findings += iam_findings(was, stack)
        findings += network_findings(was, stack)
        comparison = Comparison(before=was, after=stack, neighbours_before=old, neighbours_after=new)
        for rule in _ACCESS_RULES:
            findings += rule(comparison)
    return findings


def _losses(
    environment: str, before: Assembly, after: Assembly, changes: dict[tuple[str, str], list[ResourceChange]]
) -> list[Finding]:
    added = _added_stateful(environment, changes)
    old = {key[1]: stack for key, stack in before.items() if key[0] == environment}
    new = {key[1]: stack for key, stack in after.items() if key[0] == environment}
    findings: list[Finding] = []
    for name, was in old.items():
        now = new.get(name)
        findings += stateful_findings(was, now, changes[environment, name], added)
        # A stack that is gone has lost what watched over it too.
        empty = replace(was, resources={}, template={})
        comparison = Comparison(before=was, after=now or empty, neighbours_before=old, neighbours_after=new)
        for rule in _LOSS_RULES:
            findings += rule(comparison)
        if now is not None:
            findings += moved_stack_findings(was, now)
    return findings


def _added_stateful(
    environment: str, changes: dict[tuple[str, str], list[ResourceChange]]
) -> dict[str, list[str]]:
    added: dict[str, list[str]] = {}
    for key, changed in changes.items():
        for change in changed:
            if change.before is None and key[0] == environment and change.resource.type in STATEFUL_TYPES:
                added.setdefault(change.resource.type, []).append(f"{key[1]}/{change.resource.logical_id}")
    return added


def _with_the_rest(findings: list[Finding], before: Assembly, after: Assembly) -> list[Finding]:
    """Adds what blocks nothing: one line for every changed resource that is not told in full already."""
    told = (ChangeKind.STATEFUL_REMOVED, ChangeKind.STATEFUL_REPLACED)
    spoken_of = {
        (finding.environment, finding.stack, finding.resource) for finding in findings if finding.kind in told
    }
    rest: list[Finding] = []
    for key in before.keys() | after.keys():
        environment, stack = key
        was, now = before.get(key), after.get(key)
        if now is None or was is None:
            verb = ChangeKind.ADDED if was is None else ChangeKind.REMOVED
            count = len((now or was).resources)  # type: ignore[union-attr]
            rest.append(
                Finding(
                    environment=environment,
                    stack=stack,
                    resource=STACK_ITSELF,
                    resource_type="stack",
                    kind=verb,
                    text=f"the stack with {count} resources",
                )
            )
            continue
        for change in diff_stacks(was, now):
            resource = change.resource
            if (*key, resource.logical_id) in spoken_of:
                continue
            rest.append(
                Finding(
                    environment=environment,
                    stack=stack,
                    resource=resource.logical_id,
                    resource_type=resource.type,
                    kind=_kind(change),
                    text=_sentence(change),
                    details=change.properties,
                )
            )
    return findings + rest


def _kind(change: ResourceChange) -> ChangeKind:
    if change.before is None:
        return ChangeKind.ADDED
    if change.after is None or change.after.type != change.before.type:
        return ChangeKind.REMOVED
    return ChangeKind.REPLACED if change.replacement else ChangeKind.CHANGED


def _sentence(change: ResourceChange) -> str:
    if not change.replacement:
        return ""
    sure = "is replaced" if change.replacement is Replacement.YES else "may be replaced"
    return f"{sure} because of {', '.join(change.because)}"


def _order(finding: Finding) -> tuple[str, ...]:
    return (finding.environment, finding.stack, finding.resource, finding.kind, finding.text)
