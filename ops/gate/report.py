"""The report, as text for a terminal and as Markdown for a pull request. Both say the same."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ops.gate.acknowledgements import Acknowledgement
from ops.gate.model import ChangeKind, Finding
from ops.gate.waivers import WaivedFindings

# A comment on GitHub holds 65,536 characters; what blocks comes first and is never cut.
_MARKDOWN_LIMIT = 60_000


@dataclass(frozen=True, kw_only=True)
class Report:
    """All there is to say about one comparison."""

    base: str
    findings: tuple[Finding, ...]
    judgement: WaivedFindings
    acknowledgements: tuple[Acknowledgement, ...]
    new_acknowledgements: frozenset[Acknowledgement]
    waiver_file: str

    def shown(self) -> list[Finding]:
        """The findings that block nothing, replacements first."""
        order = (ChangeKind.REPLACED, ChangeKind.REMOVED, ChangeKind.ADDED, ChangeKind.CHANGED)
        return sorted(
            (finding for finding in self.findings if not finding.kind.blocks),
            key=lambda finding: order.index(finding.kind),
        )

    def headline(self) -> str:
        judgement = self.judgement
        counts = Counter(finding.kind for finding in self.shown())
        parts = [f"{len(judgement.blocked)} blocked", f"{len(judgement.waived)} waived"]
        parts += [f"{counts[kind]} {kind}" for kind in counts]
        verdict = "passes" if judgement.passes else "BLOCKED"
        return f"gate against {self.base}: {verdict} ({', '.join(parts)})"


def as_text(report: Report) -> str:
    """The report for a terminal, with a waiver to fill in for what is blocked."""
    lines = [report.headline()]
    lines += [f"  fault: {fault}" for fault in report.judgement.faults]
    if report.judgement.blocked:
        lines += ["", "Blocked:"]
        for places, finding in _together(report.judgement.blocked):
            lines += _text_block(places, finding)
        lines += [
            "",
            f"If this is meant, add to {report.waiver_file}:",
            "",
            *_stubs(report.judgement.blocked),
        ]
    if report.judgement.waived:
        lines += ["", "Waived:"]
        for finding, waiver in report.judgement.waived:
            lines += _text_block((finding.environment,), finding)
            lines.append(f"    waived until {waiver.expires}: {waiver.reason}")
    lines += [f"  to remove: the waiver for {w} has done its work" for w in report.judgement.spent]
    if report.shown():
        lines += ["", "Other changes:"]
        for places, finding in _together(report.shown()):
            lines += _text_block(places, finding)
    lines += ["", f"Acknowledged policy findings: {len(report.acknowledgements)}"]
    for entry in report.acknowledgements:
        mark = " (new)" if entry in report.new_acknowledgements else ""
        lines.append(f"  {entry.rule}{mark} [{', '.join(entry.environments)}]: {entry.reason}")
        lines.append(f"      at {', '.join(entry.at)}")
    return "\n".join(lines) + "\n"


def as_markdown(report: Report) -> str:
    """The report as a pull-request comment, folded where it is long."""
    judgement = report.judgement
    lines = [f"### {'✅' if judgement.passes else '⛔'} {report.headline()}", ""]
    lines += [f"- **{fault}**" for fault in judgement.faults]
    if judgement.blocked:
        lines += ["", "#### Blocked", ""]
        for places, finding in _together(judgement.blocked):
            lines += _markdown_block(places, finding)
        lines += ["", f"If this is meant, add to `{report.waiver_file}`:", "", "```toml"]
        lines += [*_stubs(judgement.blocked), "```"]
    if judgement.waived:
        lines += ["", "#### Waived", ""]
        for finding, waiver in judgement.waived:
            lines += _markdown_block((finding.environment,), finding)
            lines.append(f"  - waived until {waiver.expires}: {waiver.reason}")
    lines += [f"- to remove: the waiver for {waiver} has done its work" for waiver in judgement.spent]
    lines += _folded("Other changes", _other_changes(report), len(report.shown()))
    lines += _folded(
        "Acknowledged policy findings",
        _acknowledgement_table(report),
        len(report.acknowledgements),
        note=f", {len(report.new_acknowledgements)} new" if report.new_acknowledgements else "",
    )
    return _cut("\n".join(lines) + "\n")


def _together(findings: Iterable[Finding]) -> Iterator[tuple[tuple[str, ...], Finding]]:
    """The same finding in several environments once, with their names."""
    places: dict[Finding, list[str]] = {}
    for finding in findings:
        places.setdefault(replace(finding, environment=""), []).append(finding.environment)
    for finding, environments in places.items():
        yield tuple(environments), finding


def _text_block(places: tuple[str, ...], finding: Finding) -> list[str]:
    named = f"{finding.stack}/{finding.resource} ({finding.resource_type})"
    head = f"  {finding.kind}: [{', '.join(places)}] {named}"
    body = [f"      {detail}" for detail in finding.details]
    return [head, *([f"    {finding.text}"] if finding.text else []), *body]


def _markdown_block(places: tuple[str, ...], finding: Finding) -> list[str]:
    head = (
        f"- **{finding.kind}** `{finding.stack}/{finding.resource}` ({finding.resource_type}; "
        f"{', '.join(places)}){': ' if finding.text else ''}{finding.text}"
    )
    return [head, *(f"  - {_code(detail)}" for detail in finding.details)]


def _code(text: str) -> str:
    return "`" + text.replace("`", "'").replace("\n", " ") + "`"


def _other_changes(report: Report) -> list[str]:
    return [
        line for places, finding in _together(report.shown()) for line in _markdown_block(places, finding)
    ]


def _acknowledgement_table(report: Report) -> list[str]:
    rows = ["| rule | at | environments | reason |", "| --- | --- | --- | --- |"]
    for entry in report.acknowledgements:
        mark = " **new**" if entry in report.new_acknowledgements else ""
        reason = entry.reason.replace("|", "\\|").replace("\n", " ")
        at, where = ", ".join(f"`{path}`" for path in entry.at), ", ".join(entry.environments)
        rows.append(f"| `{entry.rule}`{mark} | {at} | {where} | {reason} |")
    return rows


def _folded(title: str, body: list[str], count: int, note: str = "") -> list[str]:
    if not count:
        return []
    return ["", f"<details><summary>{title} ({count}{note})</summary>", "", *body, "", "</details>"]


def _cut(text: str) -> str:
    if len(text) <= _MARKDOWN_LIMIT:
        return text
    return text[:_MARKDOWN_LIMIT] + "\n\n… the report is longer: the job's log has all of it.\n"


def _stubs(blocked: Iterable[Finding]) -> list[str]:
    """One waiver per stack and kind, complete but for its reason and date."""
    wanted: dict[tuple[str, ChangeKind, tuple[str, ...]], list[str]] = {}
    places: dict[tuple[str, str, ChangeKind], list[str]] = {}
    for finding in blocked:
        listed = places.setdefault((finding.stack, finding.resource, finding.kind), [])
        if finding.environment not in listed:
            listed.append(finding.environment)
    for (stack, resource, kind), named in places.items():
        wanted.setdefault((stack, kind, tuple(named)), []).append(resource)
    lines: list[str] = []
    for (stack, kind, environments), resources in wanted.items():
        lines += [
            "[[waiver]]",
            f"environments = [{_quoted(environments)}]",
            f'stack = "{stack}"',
            f"resources = [{_quoted(resources)}]",
            f'kind = "{kind}"',
            'reason = ""  # why this is meant, and what becomes of the data or who gets the access',
            "expires = YYYY-MM-DD  # when this change is deployed everywhere, at most 90 days away",
            "",
        ]
    return lines[:-1]


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
