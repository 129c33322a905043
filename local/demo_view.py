"""The demo's display: a table that moves while it runs, and one that stays."""

from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from local.faults.judge.judgement import Judgement
from local.progress import Snapshot

_PROBLEMS_SHOWN = 20


@dataclass(kw_only=True)
class Result:
    """The demo's result; `problems` are of the processes, the judgement is of what they did."""

    judgement: Judgement
    problems: list[str]
    seconds: float
    workers_killed: int
    peak_rss_mb: dict[str, float]

    def summary(self) -> dict[str, Any]:
        return {
            "ok": self.judgement.ok and not self.problems,
            "objects": self.judgement.objects,
            "jobs": dict(sorted(self.judgement.jobs.items())),
            "rejected": self.judgement.rejected,
            "parked": self.judgement.parked,
            "workers_killed": self.workers_killed,
            "peak_rss_mb": self.peak_rss_mb,
            "seconds": round(self.seconds, 1),
        }


def line(look: Snapshot, archives: int, seconds: float) -> str:
    depths = ", ".join(f"{queue} {sum(depth)}" for queue, depth in look.depths.items())
    return (
        f"{seconds:5.0f} s  {sum(job.finished for job in look.jobs)} of {len(look.jobs)} jobs and "
        f"{look.tasks_finished} of {archives} archives done, "
        f"{look.metrics['BytesUploaded'] / 1e6:,.0f} MB up; {depths}"
    )


def live_table(look: Snapshot, before: Snapshot, *, seconds: float, every_s: float, killed: bool) -> Table:
    table = Table(title=f"{seconds:.0f} s" + (", one worker killed" if killed else ""))
    for column in ("job", "status", "archives", "parked"):
        table.add_column(column)
    for job in look.jobs:
        table.add_row(job.job_id, job.status, f"{job.done} of {job.tasks}", str(job.parked or ""))
    table.add_section()
    rate = (look.metrics["BytesUploaded"] - before.metrics["BytesUploaded"]) / every_s / 1e6
    table.add_row(
        "entries",
        f"{look.metrics['EntriesMatched']:.0f} matched",
        f"{look.metrics['EntriesRejected']:.0f} rejected",
        f"{rate:,.0f} MB/s",
    )
    for queue, (waiting, in_flight) in look.depths.items():
        table.add_row(queue, f"{waiting} waiting", f"{in_flight} in flight", "")
    return table


def report(result: Result, console: Console) -> None:
    """The summary table, and what was wrong if anything was."""
    judgement = result.judgement
    table = Table(title="make demo", show_header=False)
    size = f"{judgement.objects:,} ({judgement.bytes_compared / 1e6:,.0f} MB)"
    table.add_row("objects, each byte compared", size)
    for state, number in sorted(judgement.jobs.items()):
        table.add_row(f"jobs {state}, as they must be", str(number))
    for reason, number in sorted(judgement.rejected.items()):
        table.add_row(f"entries rejected: {reason}", str(number))
    for reason, number in sorted(judgement.parked.items()):
        table.add_row(f"parked: {reason}", str(number))
    table.add_row("workers killed", str(result.workers_killed))
    for task, peak in result.peak_rss_mb.items():
        table.add_row(f"peak memory of {task}", f"{peak:,.0f} MB")
    table.add_row("seconds", f"{result.seconds:.1f}")
    console.print(table)
    problems = [*judgement.findings, *result.problems]
    for problem in problems[:_PROBLEMS_SHOWN]:
        console.print(problem, style="red", markup=False)
    if len(problems) > _PROBLEMS_SHOWN:
        console.print(f"[red]and {len(problems) - _PROBLEMS_SHOWN} more[/]")
    console.print("[red]not as expected[/]" if problems else "[green]all as expected[/]")
