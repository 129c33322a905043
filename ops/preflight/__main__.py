"""`python -m ops.preflight ENVIRONMENT`.

Exit codes:
  0  the account has what the environment needs; `tight` and `later` are told, and no hindrance
  1  something lacks
  2  it cannot tell: no such environment, a synth that fails, no credentials
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from ops.assembly.load import in_order, load_assembly
from ops.assembly.model import AssemblyError, Stack
from ops.assembly.synth import synthesize
from ops.preflight import Verdict, as_table, preflight

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Check one environment's account and print what it has and lacks; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        stacks = _stacks(options.environment, options.assembly)

        def client(service: str) -> Any:
            return boto3.client(service, region_name=stacks[0].region)  # type: ignore[call-overload]

        checks = preflight(stacks, client)
    except (AssemblyError, BotoCoreError, ClientError) as error:
        print(f"preflight: {error}", file=sys.stderr)
        return 2
    table = as_table(checks)
    print(table, end="")
    if options.summary:
        with options.summary.open("a", encoding="utf-8") as file:
            file.write(f"### What the account of {options.environment} has\n```\n{table}```\n")
    return 1 if any(check.verdict is Verdict.LACKS for check in checks) else 0


def _stacks(environment: str, assembly: Path | None) -> tuple[Stack, ...]:
    if assembly is not None:
        return in_order(load_assembly(assembly), environment)
    with tempfile.TemporaryDirectory(prefix="preflight-") as scratch:
        synthesize(ROOT, Path(scratch))
        return in_order(load_assembly(Path(scratch)), environment)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ops.preflight",
        description="What the environment needs of its account, and what the account lacks; changes nothing.",
        epilog=(__doc__ or "").split("\n\n", 1)[1],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("environment")
    parser.add_argument(
        "--assembly", type=Path, help="a synthesized cloud assembly (default: synthesize now)"
    )
    parser.add_argument("--summary", type=Path, metavar="FILE", help="append the table as Markdown")
    return parser


if __name__ == "__main__":
    sys.exit(main())
