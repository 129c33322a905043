"""The report for a terminal."""

from collections.abc import Iterator, Sequence

from ops.capacity.bill import BillItem
from ops.capacity.figures import Figures
from ops.capacity.quotas import Quota, quota_rows
from ops.capacity.tornado import Swing
from ops.capacity.watch import VISIBILITY_MAXIMUM_S, Watch


def as_text(
    title: str,
    day: Figures,
    *,
    watch: Watch,
    needs: Sequence[Quota],
    swings: Sequence[Swing],
    sources: Sequence[str],
) -> str:
    """Every figure with its name, alarms, quotas, the bill, and what the answer hangs on."""
    lines = [title, "", *_rows(rows(day)), "", "Alarms and bounds", *_rows(watch_rows(watch))]
    lines += ["", "Quotas: needed at the most, of a new account's", *_rows(quota_rows(needs))]
    lines += ["", "Bill, US dollars a day"]
    lines += _rows([(item.name, f"{item.usd:,.2f}", item.because) for item in _dearest(day)])
    lines += _rows([("in all", f"{day.usd:,.2f}", f"{day.usd_per_thousand:,.2f} per 1,000 events")])
    if swings:
        lines += ["", "What the answer hangs on"]
        lines += _rows([(s.name, f"{s.low_value:g} … {s.high_value:g}", _moved(s)) for s in swings])
    return "\n".join([*lines, "", *sources]) + "\n"


def _moved(swing: Swing) -> str:
    low, high = swing.low, swing.high
    return (
        f"${low.usd:,.0f} … ${high.usd:,.0f} a day; p95 {low.p95_minutes:,.0f} … {high.p95_minutes:,.0f} min"
    )


def rows(day: Figures) -> list[tuple[str, str, str]]:
    """(what, how much, against what)."""
    excess = day.task_hours / day.ideal_task_hours - 1 if day.ideal_task_hours else 0.0
    return [
        (
            "jobs",
            f"{day.jobs:,}",
            f"{day.archives:,} archives, {day.unfinished:,} of them not done in two days",
        ),
        (
            "event to completion",
            f"{day.p50_minutes:,.0f} min",
            f"p50; p95 {day.p95_minutes:,.0f} min, p99 {day.p99_minutes:,.0f} min",
        ),
        ("worst backlog", f"{day.worst_backlog:,}", f"the oldest waited {day.worst_age_minutes:,.0f} min"),
        (
            "in flight",
            f"{day.most_in_flight:,}",
            f"of {day.in_flight_limit:,} that SQS allows",
        ),
        ("workers", f"{day.most_tasks:,}", f"at most, of {day.tasks_allowed:,} allowed"),
        (
            "task-hours",
            f"{day.task_hours:,.0f}",
            (
                f"{excess:+.0%} of the ideal {day.ideal_task_hours:,.0f}; "
                f"{day.late_return_minutes} min too large after the peak"
            ),
        ),
        (
            "interrupted tasks",
            f"{day.interrupted:,}",
            (
                f"{day.handed_over:,} archives handed over, {day.begun_anew:,} begun anew, "
                f"{day.repeated_hours:,.0f} h of downloads repeated"
            ),
        ),
    ]


def watch_rows(watch: Watch) -> list[tuple[str, str, str]]:
    """(alarm or bound, when or how much, against what)."""
    days, hours = watch.retention_s / 86_400, VISIBILITY_MAXIMUM_S / 3600
    lost, cut = watch.oldest_message_s > watch.retention_s, watch.longest_receipt_s > VISIBILITY_MAXIMUM_S
    return [
        *(
            (ring.name, f"rings {_clock(ring.at_s)}", f"for {ring.minutes:,} minutes in all")
            for ring in watch.rings
        ),
        (
            "alarms that ring",
            f"{len(watch.rings)} of {watch.judged}",
            f"{watch.unheard} more look at what is not modelled",
        ),
        (
            "oldest message",
            f"{watch.oldest_message_s / 3600:,.1f} h",
            f"of {days:g} days that SQS keeps one" + (": LOST before it is done" if lost else ""),
        ),
        (
            "longest receipt",
            f"{watch.longest_receipt_s / 3600:,.1f} h",
            f"of {hours:g} h that one may be held" + (": it is taken away" if cut else ""),
        ),
    ]


def _clock(seconds: float) -> str:
    day, rest = divmod(round(seconds / 60), 1_440)
    return f"{'next day ' if day else ''}{rest // 60:02}:{rest % 60:02}"


def _dearest(day: Figures) -> list[BillItem]:
    return sorted(day.bill, key=lambda item: -item.usd)


def _rows(cells: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    first = max((len(row[0]) for row in cells), default=0)
    for name, value, note in cells:
        yield f"  {name:<{max(first, 32)}} {value:>16}  {note}"
