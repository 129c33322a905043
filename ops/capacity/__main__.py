"""`python -m ops.capacity`: a day of an environment, what holds, what is cheapest, what else there is.

Exits 0 when it is answered and holds, 1 when an objective is not held, 2 when it cannot be judged.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from ops.assembly.model import AssemblyError
from ops.capacity import check
from ops.capacity import options as ways
from ops.capacity.check import CheckResult, judge
from ops.capacity.figures import figures
from ops.capacity.knobs import diff
from ops.capacity.options import SCALES, compare
from ops.capacity.page import as_page
from ops.capacity.question import assembly_of, question
from ops.capacity.quotas import quotas
from ops.capacity.scenarios import SCENARIOS
from ops.capacity.search import search
from ops.capacity.text import as_text
from ops.capacity.tornado import tornado
from ops.capacity.watch import watch

_FAILED = 2
_PROCESSES = 2


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
    seen, needs = watch(day), list(quotas(day, found))
    print(as_text(title, found, watch=seen, needs=needs, swings=swings, sources=asked.sources()))
    page = options.page or Path(f".local/capacity/{options.environment}-{options.scenario}.html")
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(
        as_page(
            title,
            day=day,
            figures=found,
            watch=seen,
            needs=needs,
            prices=asked.prices,
            swings=swings,
            sources=asked.sources(),
        ),
        encoding="utf-8",
    )
    print(f"With graphs: {page}")
    return 0


def _check(options: argparse.Namespace) -> int:
    assembly = assembly_of(options.assembly)
    verdicts = [judge(question(assembly, environment)) for environment in options.environments]
    for verdict in verdicts:
        print(check.as_text(verdict))
    if options.append:
        with options.append.open("a", encoding="utf-8") as report:
            report.write(check.as_markdown(verdicts, _before(options)))
    return int(any(verdict.missed for verdict in verdicts) and not options.only_compare)


def _before(options: argparse.Namespace) -> dict[str, CheckResult | None]:
    """The same environments of another assembly; None for one that it has not, or not with its load."""
    if options.before is None:
        return {}
    found: dict[str, CheckResult | None] = {}
    for environment in options.environments:
        try:
            found[environment] = judge(question(assembly_of(options.before), environment))
        except AssemblyError as error:
            print(f"nothing to compare with: {error}", file=sys.stderr)
            found[environment] = None
    return found


def _search(options: argparse.Namespace) -> int:
    asked = question(assembly_of(options.assembly), options.environment)
    with ProcessPoolExecutor(_PROCESSES, mp_context=get_context("spawn")) as pool:
        found = search(asked, spread=pool.map)
    if found is None:
        print(f"{options.environment}: neither its own settings nor any that were tried hold the objectives")
        return 1
    changes = diff(asked.deployed, found.deployed)
    now = asked.figures()
    if not changes:
        print(f"{options.environment}: ${now.usd:,.2f} a day, and no cheaper settings hold")
    else:
        print(f"--- stacks/environments.py, {options.environment}: ${now.usd:,.2f} a day")
        print(f"+++ ${found.figures.usd:,.2f} a day, p95 {found.figures.p95_minutes:,.0f} minutes")
        print("\n".join(changes))
        print(f"saves ${now.usd - found.figures.usd:,.2f} a day, {1 - found.figures.usd / now.usd:.1%}")
    print(f"{found.tried} days played: the stated one, and for what held it one without Spot at the peak")
    return 0


def _options(options: argparse.Namespace) -> int:
    asked = question(assembly_of(options.assembly), options.environment)
    rows = [row for scale in SCALES for row in compare(asked, scale)]
    print(ways.as_text(rows, asked.deployed.load.completion_p95_minutes))
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
    held = verbs.add_parser("check", help="fail where an environment does not hold its objectives")
    held.add_argument("environments", nargs="+")
    held.add_argument("--before", type=Path, help="an assembly to compare with")
    held.add_argument("--append", type=Path, help="add before and after to this Markdown file")
    held.add_argument("--only-compare", action="store_true", help="exit 0 also where something is missed")
    held.set_defaults(do=_check)
    cheapest = verbs.add_parser("search", help="the cheapest settings that hold, as a diff")
    cheapest.add_argument("environment")
    cheapest.set_defaults(do=_search)
    compared = verbs.add_parser("options", help="the decision record's options, in numbers")
    compared.add_argument("environment")
    compared.set_defaults(do=_options)
    for verb in (report, held, cheapest, compared):
        verb.add_argument(
            "--assembly", type=Path, help="a synthesized cloud assembly (default: synthesize now)"
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())
