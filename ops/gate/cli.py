"""The gate's command line.

Exit codes:
  0  nothing is blocked, or what is blocked is waived
  1  blocked: a change that needs a waiver, or a fault in the waiver file
  2  the gate cannot judge: wrong usage, an unknown reference, a synth that fails, an unreadable file
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ops.assembly.load import load_assembly
from ops.assembly.model import AssemblyError
from ops.assembly.synth import has_app, synthesize
from ops.gate.acknowledgements import Acknowledgement, read_acknowledgements
from ops.gate.compare import compare
from ops.gate.model import GateError
from ops.gate.report import Report, as_markdown, as_text
from ops.gate.revision import check_out
from ops.gate.waivers import Waiver, apply_waivers, read_waivers

WAIVERS = "gate-waivers.toml"


@dataclass(frozen=True)
class Sides:
    """The two assemblies to compare and what else the base knew; no base assembly when it has no app."""

    base: str
    before: Path | None
    after: Path
    inherited: list[Waiver]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the gate; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="gate-") as scratch:
            report = _judge(options, Path(scratch))
    except (GateError, AssemblyError) as error:
        print(f"gate: {error}", file=sys.stderr)
        return 2
    print(as_text(report), end="")
    if options.markdown:
        options.markdown.write_text(as_markdown(report), encoding="utf-8")
    return 0 if report.judgement.passes else 1


def _judge(options: argparse.Namespace, scratch: Path) -> Report:
    waiver_file = options.waivers or options.repository / WAIVERS
    waivers = read_waivers(waiver_file)
    if options.base:
        sides = _from_git(options.repository, options.base, waiver_file.name, scratch)
    else:
        before, after = options.assemblies
        inherited = read_waivers(options.inherited) if options.inherited else []
        sides = Sides(str(before), before, after, inherited)
    findings = []
    if sides.before is None:
        print(f"gate: {sides.base} has no CDK app, so there is nothing to lose or to broaden")
    else:
        findings = compare(load_assembly(sides.before), load_assembly(sides.after))
    now = read_acknowledgements(sides.after)
    known = set(read_acknowledgements(sides.before)) if sides.before else set[Acknowledgement]()
    return Report(
        base=sides.base,
        findings=tuple(findings),
        judgement=apply_waivers(findings, waivers, sides.inherited, datetime.now(UTC).date()),
        acknowledgements=tuple(now),
        new_acknowledgements=frozenset(entry for entry in now if entry not in known),
        waiver_file=waiver_file.name,
    )


def _from_git(repository: Path, ref: str, waivers: str, scratch: Path) -> Sides:
    source = scratch / "base"
    commit = check_out(repository, ref, source)
    before, after = scratch / "before", scratch / "after"
    based = has_app(source)
    with ThreadPoolExecutor(max_workers=2) as pool:
        runs = [pool.submit(synthesize, repository, after)]
        if based:
            runs.append(pool.submit(synthesize, source, before))
        for run in runs:
            run.result()
    return Sides(f"{ref} ({commit})", before if based else None, after, read_waivers(source / waivers))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ops.gate",
        description="Compare the synthesized stacks of a base and of this working tree; see docs/gate.md.",
        epilog=(__doc__ or "").split("\n\n", 1)[1],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sides = parser.add_mutually_exclusive_group(required=True)
    sides.add_argument("--base", metavar="REF", help="a git reference to synthesize and compare with")
    sides.add_argument(
        "--assemblies",
        nargs=2,
        type=Path,
        metavar=("BEFORE", "AFTER"),
        help="two synthesized cloud assemblies to compare instead",
    )
    parser.add_argument(
        "--repository", type=Path, default=Path.cwd(), help="the working tree (default: this directory)"
    )
    parser.add_argument(
        "--waivers", type=Path, help=f"the waiver file (default: {WAIVERS} in the working tree)"
    )
    parser.add_argument(
        "--inherited", type=Path, metavar="FILE", help="with --assemblies: the waivers that the base had"
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the report as Markdown")
    return parser
