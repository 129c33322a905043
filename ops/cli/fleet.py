"""Commands about the whole: a live view, circuits, pausing, the account's needs, the page."""

import subprocess
import sys
import threading
import time
from contextlib import nullcontext
from typing import Annotated

import typer
from rich.console import Group
from rich.live import Live
from rich.text import Text

from ops.cli.session import AsJson, fleet_of, out, say, show, table
from ops.fleet import circuits as circuits_room
from ops.fleet.documents import CircuitList, Overview, Switched
from ops.fleet.overview import look
from ops.fleet.refusals import Unusable
from ops.fleet.wording import age_of, clean, size

Scopes = Annotated[
    list[str],
    typer.Argument(metavar="SCOPE...", help="orchestrator, worker, vendor (both), or a download host."),
]


def watch(
    context: typer.Context,
    every: Annotated[float, typer.Option(min=1, help="Seconds between two looks.")] = 3.0,
    count: Annotated[int, typer.Option(min=0, help="How many looks; 0: until Ctrl-C.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Live: jobs by state, queues, rates, circuits, and what is wrong. With --json a line for each look."""
    fleet = fleet_of(context)
    looks = 0
    live = Live(console=out, auto_refresh=False)
    with nullcontext() if as_json else live:
        while True:
            now = look(fleet)
            if as_json:
                sys.stdout.write(now.model_dump_json() + "\n")
                sys.stdout.flush()
            else:
                live.update(_drawn(now), refresh=True)
            looks += 1
            if looks == count:
                return
            time.sleep(every)


def circuits(context: typer.Context, as_json: AsJson = False) -> None:
    """The dependencies that are not called: circuits that are not closed, and what an operator has paused."""
    found = CircuitList(circuits=circuits_room.not_closed(fleet_of(context)))

    def people() -> None:
        table(
            ("dependency", "state", "for", "failed probes", "next probe", "why"),
            [
                (
                    one.dependency,
                    one.state,
                    age_of(one.since),
                    one.failed_probes,
                    one.next_probe_at,
                    one.reason,
                )
                for one in found.circuits
            ],
        )
        if not found.circuits:
            say("every circuit is closed, and nothing is paused")

    show(found, as_json, people)


def pause(
    context: typer.Context,
    scopes: Scopes,
    why: Annotated[str, typer.Option(help="Shown to everybody who looks.")] = "",
    as_json: AsJson = False,
) -> None:
    """Stop a service from taking work, or all downloads from a host; work in hand goes on. Messages wait."""
    switched = circuits_room.pause(fleet_of(context), scopes, why)
    show(switched, as_json, lambda: _switched(switched))


def resume(context: typer.Context, scopes: Scopes, as_json: AsJson = False) -> None:
    """Take back a pause."""
    switched = circuits_room.resume(fleet_of(context), scopes)
    show(switched, as_json, lambda: _switched(switched))


def serve(
    context: typer.Context,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 8_765,
) -> None:
    """The page, on loopback, until Ctrl-C."""
    from ops.page.serve import PageServer  # no other command needs a web server

    try:
        server = PageServer(fleet_of(context), port)
    except OSError as error:
        raise Unusable(f"port {port} cannot be used ({error.strerror}): choose a --port") from error
    with server:
        say(f"{server.url} (Ctrl-C ends it)")
        threading.Event().wait()


def preflight(
    environment: Annotated[str, typer.Argument(help="An environment of stacks/environments.py.")],
) -> None:
    """The needs of an environment that its account has to meet, and does not (python -m ops.preflight)."""
    raise typer.Exit(
        subprocess.run([sys.executable, "-m", "ops.preflight", environment], check=False).returncode
    )


def _switched(switched: Switched) -> None:
    verb = "paused" if switched.paused else "resumed"
    for scope in switched.scopes:
        changed = scope in switched.changed
        say(f"{scope}: {verb}" if changed else f"{scope} was not paused by anybody")
    if switched.changed:
        say(f"every task sees it within {circuits_room.HONOURED_WITHIN_S} s; work in hand goes on")


def _drawn(now: Overview) -> Group:
    states = "  ".join(f"{one.state} {one.jobs:,}{'' if one.exact else '+'}" for one in now.states)
    lines = [
        Text(f"{now.environment}, {now.at:%H:%M:%S}Z", style="bold"),
        Text(f"jobs of the last 24 h   {states}"),
    ]
    for queue in now.queues:
        oldest = f", oldest {queue.oldest_s:,.0f} s" if queue.oldest_s is not None else ""
        counts = f"{queue.waiting:,} waiting, {queue.in_flight:,} in flight, {queue.delayed:,} put off"
        lines.append(Text(f"{queue.name:22}  {counts}{oldest}"))
    for name, rate in now.rates.items():
        amount = f"{size(int(rate))}/s" if name.startswith("Bytes") else f"{rate:,.1f}/s"
        lines.append(Text(f"{name:22}  {amount}"))
    for host in now.hosts:
        state = "" if host.state == "closed" else f", {host.state}"
        failures = f", {host.failures_per_min:,.1f} failures a minute" if host.failures_per_min else ""
        gives = f"{size(int(host.bytes_per_s))}/s{failures}{state}"
        lines.append(Text(f"from {clean(host.host):17}  {gives}"))
    for finding in now.findings:
        lines.append(Text(f"• {clean(finding.what)}", style="yellow"))
        lines.append(Text(f"    {clean(finding.do)}", style="bold"))
    if not now.findings:
        lines.append(Text("nothing is parked, failing or paused", style="green"))
    return Group(*lines)
