"""The session of a command: the environment it is about, and how it speaks: tables, or one JSON document."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Annotated

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ops.fleet.documents import Finding
from ops.fleet.environment import Fleet, find
from ops.fleet.refusals import Unusable
from ops.fleet.wording import clean


class Exit(IntEnum):
    """Exit codes; docs/ops/README.md explains them."""

    DONE = 0
    NOT_AS_IT_SHOULD_BE = 1
    UNUSABLE = 2
    NOT_FOUND = 3
    DECLINED = 4
    INTERRUPTED = 130


@dataclass
class Session:
    """One per process; the environment is looked up by the first command that needs it."""

    environment: str | None
    _fleet: list[Fleet] = field(default_factory=list)

    @property
    def fleet(self) -> Fleet:
        """Raises NotFound, Declined."""
        if not self._fleet:
            self._fleet.append(find(self.environment))
        return self._fleet[0]


AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of tables.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]

# Where nobody looks a line is a row: width is for terminals.
_width = None if sys.stdout.isatty() else 1_000
out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True, width=_width)
_aside = Console(stderr=True, highlight=False, markup=False, emoji=False)


def fleet_of(context: typer.Context) -> Fleet:
    session = context.find_object(Session)
    assert session is not None
    return session.fleet


def show(document: BaseModel, as_json: bool, people: Callable[[], None]) -> None:
    """The document for a script, or the tables for people."""
    if as_json:
        sys.stdout.write(document.model_dump_json(indent=2) + "\n")
    else:
        people()


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> None:
    """Aligned columns; numbers to the right. Nothing for no rows."""
    if not rows:
        return
    drawn = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for index, name in enumerate(columns):
        numeric = all(isinstance(row[index], (int, float)) for row in rows)
        # The last column is prose and may wrap; the others are copied from.
        drawn.add_column(
            name,
            justify="right" if numeric else "left",
            overflow="fold",
            no_wrap=index < len(columns) - 1,
        )
    for row in rows:
        drawn.add_row(*(Text(told(cell)) for cell in row))
    out.print(drawn)


def facts(pairs: Sequence[tuple[str, object]]) -> None:
    """Names and values, one a line; what is empty is left out."""
    shown = [(name, told(value)) for name, value in pairs if value not in (None, "", {}, [])]
    width = max((len(name) for name, _ in shown), default=0)
    for name, text in shown:
        out.print(Text(f"{name.ljust(width)}  {text}"))


def findings(found: Sequence[Finding]) -> None:
    """Print the findings, and below each the command that acts on it."""
    for finding in found:
        out.print(Text(f"• {clean(finding.what)}", style="yellow"))
        if finding.do:
            out.print(Text(f"    {clean(finding.do)}", style="bold"))


def say(text: str) -> None:
    out.print(Text(clean(text)))


def told(value: object) -> str:
    """A value as people read it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    if isinstance(value, dict):
        return ", ".join(f"{clean(str(name))} {told(count)}" for name, count in value.items())
    return clean(str(value))


@contextmanager
def progress(what: str) -> Iterator[Callable[[object], None]]:
    """A moving line on a terminal while the block runs; tell it how far it is."""
    with _aside.status(what) as status:
        yield lambda far: status.update(f"{what}: {told(far)}")


def confirmed(question: str, *, yes: bool, as_json: bool) -> None:
    """Ask, unless told; a script has to tell. Raises Unusable, typer.Abort."""
    if yes:
        return
    if as_json or not sys.stdin.isatty():
        raise Unusable("nobody is there to ask: add --yes, or --dry-run to look first")
    typer.confirm(question, abort=True)


_UNITS = {"m": 60, "h": 3_600, "d": 86_400}


def moment_of(text: str | None) -> datetime | None:
    """A time ago (`30m`, `6h`, `2d`), or an ISO 8601 time, in UTC where it does not say. Raises Unusable."""
    if text is None:
        return None
    if text[:-1].isdigit() and text[-1:] in _UNITS and len(text) < 8:
        return datetime.now(UTC) - timedelta(seconds=int(text[:-1]) * _UNITS[text[-1]])
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Unusable(
            f"--since is a time ago such as 30m, 6h or 2d, or an ISO 8601 time, not {text!r}"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
