"""`python -m ops.deploy`.

Exit codes:
  0  done; of `plan` and `drift`: nothing stands in the way of a deployment
  1  somebody altered by hand what the stacks describe, or a stack is in a state that must be mended first
  2  it cannot tell or act: no such environment, no assembly, no credentials, the CDK's command line fails
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from ops.assembly.load import in_order, load_assembly
from ops.assembly.model import AssemblyError, Stack
from ops.deploy.access import access_report
from ops.deploy.runners import runners
from ops.deploy.standing import standing
from ops.deploy.toolkit import Toolkit, ToolkitError

# What a job's summary on GitHub holds is 1 MiB.
_SUMMARY_LIMIT = 900_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        assembly = load_assembly(options.assembly)
        if options.verb == "runners":
            print(f"runners={json.dumps(runners(assembly))}")
            return 0
        stacks = in_order(assembly, options.environment)
        toolkit = Toolkit(options.assembly)
        if options.verb == "deploy":
            toolkit.deploy(stacks)
            return 0
        return _plan(stacks, toolkit, options.summary, drift_only=options.verb == "drift")
    except (AssemblyError, ToolkitError, BotoCoreError, ClientError) as error:
        print(f"deploy: {error}", file=sys.stderr)
        return 2


def _plan(stacks: Sequence[Stack], toolkit: Toolkit, summary: Path | None, *, drift_only: bool) -> int:
    stands = [standing(stack) for stack in stacks]
    blocked = any(stand.blocks for stand in stands)
    there = [stand.stack for stand in stands if stand.exists]
    drifted, drift = toolkit.drift(there) if there and not blocked else (False, "")
    sections = [("Stacks", "\n".join(map(str, stands))), ("Drift", drift or "nothing to compare with")]
    if not drift_only and not blocked:
        sections += [("Changes", toolkit.diff(stacks)), ("Access", "\n".join(access_report(there)))]
    for title, text in sections:
        print(f"== {title}\n{text}\n")
    if summary is not None:
        _summarize(stacks[0].environment, sections, summary)
    if drifted:
        print(
            "deploy: altered by hand; put it back, or take it into the stacks (docs/deployment.md)",
            file=sys.stderr,
        )
    return 1 if drifted or blocked else 0


def _summarize(environment: str, sections: Sequence[tuple[str, str]], summary: Path) -> None:
    lines = [f"### {environment} against the account"]
    for title, text in sections:
        lines += ["", f"#### {title}", "```", text.replace("```", "'''"), "```"]
    text = "\n".join(lines) + "\n"
    if len(text) > _SUMMARY_LIMIT:
        text = text[:_SUMMARY_LIMIT] + "\n```\nThe job's log has all of it.\n"
    with summary.open("a", encoding="utf-8") as file:
        file.write(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ops.deploy",
        description="Plan and deploy an environment from a synthesized assembly; see docs/deployment.md.",
        epilog=(__doc__ or "").split("\n\n", 1)[1],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--assembly", type=Path, default=Path("cdk.out"), help="default: cdk.out")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, text in (
        ("plan", "what stands, what drifted, what would change, who could do more; changes nothing"),
        ("drift", "only whether anybody altered by hand what the stacks describe; changes nothing"),
        ("deploy", "deploy every stack in order: what others need first, consumers before producers"),
    ):
        command = verbs.add_parser(verb, help=text, description=text)
        command.add_argument("environment")
        if verb != "deploy":
            command.add_argument("--summary", type=Path, metavar="FILE", help="append the report as Markdown")
    verbs.add_parser("runners", help="the runner on which each environment's image builds, for GITHUB_OUTPUT")
    return parser


if __name__ == "__main__":
    sys.exit(main())
