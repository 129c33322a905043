"""Commands about what is parked: grouped by reason, shown, sent back, dropped."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from ops.cli.session import (
    AsJson,
    DryRun,
    Yes,
    confirmed,
    facts,
    fleet_of,
    out,
    progress,
    say,
    show,
    table,
    told,
)
from ops.fleet.advice import CRASHED, PARKED, of_parking
from ops.fleet.dlq import LOOK_BOUND, Selection, listed, shown
from ops.fleet.dlq import drop as drop_messages
from ops.fleet.dlq import redrive as redrive_messages
from ops.fleet.documents import Moved
from ops.fleet.environment import Fleet
from ops.fleet.queues import ALL, names_of
from ops.fleet.refusals import NotFound, Unusable
from ops.fleet.wording import age_of, first_line

app = typer.Typer(
    help="What is parked on the dead-letter queues, and what to do with it.", no_args_is_help=True
)

_SOON = timedelta(days=3)

QueueOption = Annotated[
    str,
    typer.Option(
        "--queue",
        help="One queue: export-jobs, download-tasks, or of a priority: …-high, …-low.",
        autocompletion=lambda: list(ALL),
    ),
]
Reason = Annotated[
    str,
    typer.Option(
        help=f"A reason; {CRASHED!r} for what SQS moved after crashes.", autocompletion=lambda: list(PARKED)
    ),
]
OfJob = Annotated[str, typer.Option("--job", help="Only this job's.")]
Message = Annotated[str, typer.Option("--message", help="A message id, or its beginning.")]
Look = Annotated[int, typer.Option("--look", min=1, help="How many messages of each queue to look at.")]


@app.command("list")
def list_(
    context: typer.Context,
    *,
    queue: QueueOption = "",
    reason: Reason = "",
    job: OfJob = "",
    look: Look = LOOK_BOUND,
    as_json: AsJson = False,
) -> None:
    """By queue and reason: how many, how old, the newest error, and what to do."""
    found = listed(fleet_of(context), _selection(fleet_of(context), queue, reason, job), bound=look)

    def people() -> None:
        table(
            ("queue", "reason", "messages", "jobs", "oldest", "deleted from", "newest error"),
            [
                (
                    group.queue,
                    group.reason or CRASHED,
                    group.messages,
                    group.jobs,
                    age_of(group.oldest),
                    group.deleted_from,
                    group.error,
                )
                for group in found.groups
            ],
        )
        for why in dict.fromkeys(group.reason for group in found.groups):
            say(f"• {why or CRASHED}: {of_parking(why)}")
        for group in found.groups:
            if group.deleted_from and group.deleted_from - datetime.now(UTC) < _SOON:
                say(
                    f"• SQS deletes the first of {group.queue}'s {group.reason or CRASHED} on "
                    f"{told(group.deleted_from)}: redrive them before, or keep them in a file (dlq drop)"
                )
        _bounded(found.looked_at, found.waiting)
        if not found.waiting:
            say("nothing is parked")

    show(found, as_json, people)


@app.command("show")
def show_(
    context: typer.Context,
    *,
    queue: QueueOption = "",
    reason: Reason = "",
    job: OfJob = "",
    message: Message = "",
    limit: Annotated[int, typer.Option(min=1)] = 10,
    look: Look = LOOK_BOUND,
    as_json: AsJson = False,
) -> None:
    """Single messages: the original body, the error, and when."""
    found = shown(fleet_of(context), _selection(fleet_of(context), queue, reason, job, message), bound=look)
    found = found.model_copy(update={"messages": found.messages[:limit]})

    def people() -> None:
        for one in found.messages:
            facts(
                [
                    ("message", one.message_id),
                    ("queue", one.queue),
                    ("reason", one.reason or CRASHED),
                    ("error", first_line(one.error)),
                    ("job", one.export_job_id),
                    ("archive", one.file_id),
                    ("first seen", one.first_seen),
                    ("parked", one.parked_at),
                    ("correlation id", one.correlation_id),
                    ("body", one.body),
                ]
            )
            out.print()
        if not found.messages:
            say("no message matches")
        _bounded(found.looked_at, found.waiting)

    show(found, as_json, people)


@app.command()
def redrive(
    context: typer.Context,
    *,
    queue: QueueOption = "",
    reason: Reason = "",
    job: OfJob = "",
    message: Message = "",
    rate: Annotated[int | None, typer.Option(help="Messages a second at most (up to 500).")] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Send messages back to their queue, all of them or those chosen. Says how many first, and asks."""
    fleet = fleet_of(context)
    selection = _selection(fleet, queue, reason, job, message)
    if dry_run or not yes:
        with progress("looking"):
            would = redrive_messages(fleet, selection, rate=rate, dry_run=True)
        if dry_run:
            show(would, as_json, lambda: _moved(would))
            return
        _require_some(would)
        _moved(would)
        confirmed(f"send {would.messages:,} messages back?", yes=yes, as_json=as_json)
    with progress("redriving") as tell:
        moved = redrive_messages(fleet, selection, rate=rate, progress=tell)
    show(moved, as_json, lambda: _moved(moved))


@app.command()
def drop(
    context: typer.Context,
    *,
    queue: QueueOption = "",
    reason: Reason = "",
    job: OfJob = "",
    message: Message = "",
    everything: Annotated[bool, typer.Option("--all", help="Where nothing else chooses.")] = False,
    file: Annotated[
        Path | None, typer.Option("--file", help="Where to write them before; default: here, by the time.")
    ] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete messages, after each has been written to a file from which it can be sent again. Asks."""
    fleet = fleet_of(context)
    selection = _selection(fleet, queue, reason, job, message)
    if selection.everything and not everything:
        raise Unusable("choose what to drop: --reason, --job or --message; or say --all")
    target = file or Path(f"dropped-{fleet.name}-{datetime.now(UTC):%Y%m%dT%H%M%S}.jsonl")
    if dry_run or not yes:
        with progress("looking"):
            would = drop_messages(fleet, selection, target, dry_run=True)
        if dry_run:
            show(would, as_json, lambda: _moved(would))
            return
        _require_some(would)
        _moved(would)
        confirmed(f"write {would.messages:,} messages to {target} and delete them?", yes=yes, as_json=as_json)
    with progress("dropping") as tell:
        moved = drop_messages(fleet, selection, target, progress=tell)
    show(moved, as_json, lambda: _moved(moved))


def _selection(fleet: Fleet, queue: str, reason: str, job: str, message: str = "") -> Selection:
    there = names_of(fleet)
    if queue and queue not in there:
        raise Unusable(f"there is no queue {queue!r}: name {' or '.join(there)}")
    return Selection((queue,) if queue else there, reason, job, message)


def _require_some(would: Moved) -> None:
    if not would.messages:
        raise NotFound("no parked message matches; `export-ops dlq list` shows those there are")


def _moved(moved: Moved) -> None:
    verb = {"redrive": "sent back", "drop": "dropped"}[moved.action]
    say(f"{'would be ' if moved.dry_run else ''}{verb}: {moved.messages:,} messages")
    table(("reason", "messages"), list(moved.by_reason.items()))
    if moved.failed:
        say(f"{moved.failed:,} were not taken by SQS and are still parked; try again")
    if moved.file:
        say(f"written to {moved.file}")


def _bounded(looked_at: int, waiting: int) -> None:
    if looked_at < waiting:
        say(f"{looked_at:,} of about {told(waiting)} messages were looked at (--look)")
