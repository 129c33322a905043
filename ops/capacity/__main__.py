"""`python -m ops.capacity`: a day of an environment, what holds, what is cheapest, what else there is.

Exits 0 when it is answered and holds, 1 when an objective is not held, 2 when it cannot be judged.
"""

import argparse
import sys
from pathlib import Path

from ops.assembly.model import AssemblyError
from ops.capacity.figures import figures
from ops.capacity.page import as_page
from ops.capacity.question import assembly_of, question
from ops.capacity.scenarios import SCENARIOS
from ops.capacity.text import as_text
from ops.capacity.tornado import tornado

_FAILED = 2


def main(arguments: list[str] | None = None) -> int:
    """The exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.do(options)
    except AssemblyError as error:
        print(error, file=sys.stderr)
        return _FAILED
    return code


def _report(options: argparse.Namespace) -> int:
    asked = question(assembly_of(options.assembly), options.environment)
    changed = asked.deployed.scaled(options.scale)
    day = asked.day(options.scenario, changed=changed)
    found = figures(day, asked.prices)
    # Twenty more days: at ten times the load the assumptions are the same, so nobody waits for them there.
    swings = (
        tornado(found, asked.assumed, lambda a: asked.figures(options.scenario, a, changed))
        if options.scale <= 1
        else []
    )
    title = f"Capacity of {options.environment}: {SCENARIOS[options.scenario].what}"
    print(as_text(title, found, swings, asked.sources()))
    page = options.page or Path(f".local/capacity/{options.environment}-{options.scenario}.html")
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(
        as_page(title, day=day, figures=found, prices=asked.prices, swings=swings, sources=asked.sources()),
        encoding="utf-8",
    )
    print(f"With graphs: {page}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ops.capacity", description=(__doc__ or "").splitlines()[0]
    )
    verbs = parser.add_subparsers(required=True)
    report = verbs.add_parser("report", help="play a day: figures, bill, graphs")
    report.add_argument("environment")
    report.add_argument("--scenario", choices=sorted(SCENARIOS), default="day")
    report.add_argument(
        "--scale", type=float, default=1.0, help="times the stated load and the fleet's bounds"
    )
    report.add_argument("--page", type=Path, help="where the HTML page goes (default: .local/capacity)")
    report.set_defaults(do=_report)
    for verb in (report,):
        verb.add_argument(
            "--assembly", type=Path, help="a synthesized cloud assembly (default: synthesize now)"
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())
