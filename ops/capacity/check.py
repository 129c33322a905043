"""Whether an environment holds what it states, with its own bounds; and what a change of it does to that."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ops.capacity.figures import Figures
from ops.capacity.question import Question


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """An environment's day, and each objective that it misses, in a sentence."""

    environment: str
    figures: Figures
    missed: tuple[str, ...]


def judge(asked: Question) -> CheckResult:
    """Play the stated day and hold it against the stated objectives."""
    found = asked.figures()
    return CheckResult(
        environment=asked.deployed.environment, figures=found, missed=tuple(missed(asked, found))
    )


def missed(asked: Question, found: Figures) -> Iterator[str]:
    """The environment's objectives that the figures miss."""
    load, worker = asked.deployed.load, asked.deployed.worker
    if found.unfinished:
        yield f"{found.unfinished:,} archives are not done in two days: raise max_tasks ({worker.most})"
    if found.p95_minutes > load.completion_p95_minutes:
        yield (
            f"p95 from event to completion is {found.p95_minutes:,.0f} min, and completion_p95_minutes "
            f"{load.completion_p95_minutes:g}: raise max_tasks ({worker.most}) or min_tasks "
            f"({worker.least}), lower backlog_per_task, or state less"
        )
    if found.worst_age_minutes > load.queue_wait_hours * 60:
        yield (
            f"the oldest archive waits {found.worst_age_minutes:,.0f} minutes, and queue_wait_hours is "
            f"{load.queue_wait_hours:g}: raise max_tasks ({worker.most})"
        )
    if found.late_return_minutes:
        yield (
            f"for {found.late_return_minutes} minutes after the peak the fleet is more than 15 % above the "
            "ideal of the hour before: look at the policies' targets and cooldowns"
        )


def as_text(verdict: CheckResult) -> str:
    """A line, and one for each miss."""
    day = verdict.figures
    state = "MISSED" if verdict.missed else "holds"
    line = (
        f"{verdict.environment}: {state}; p95 {day.p95_minutes:,.0f} min, "
        f"oldest {day.worst_age_minutes:,.0f} min, "
        f"{day.most_tasks} of {day.tasks_allowed} workers, ${day.usd:,.2f} a day"
    )
    return "\n".join([line, *(f"  {sentence}" for sentence in verdict.missed)])


def as_markdown(after: Sequence[CheckResult], before: dict[str, CheckResult | None]) -> str:
    """Tasks, latency and dollars of each environment, before and after; empty where nothing differs."""
    lines = []
    for verdict in after:
        old, new = before.get(verdict.environment), verdict.figures
        if old is not None and old.figures == new and not verdict.missed:
            continue
        lines.append(f"| {verdict.environment} | before | after |")
        lines.append("|---|---:|---:|")
        lines += [
            f"| {name} | {was} | {now} |"
            for (name, now), was in zip(_cells(new), _old(old, len(_cells(new))), strict=True)
        ]
        lines += ["", *(f"**Missed:** {sentence}" for sentence in verdict.missed), ""]
    return "\n".join(["## Capacity", "", *lines]) + "\n" if lines else ""


def _old(verdict: CheckResult | None, cells: int) -> list[str]:
    return ["new"] * cells if verdict is None else [value for _, value in _cells(verdict.figures)]


def _cells(day: Figures) -> list[tuple[str, str]]:
    return [
        ("workers at most", f"{day.most_tasks}"),
        ("worker task-hours a day", f"{day.task_hours:,.0f}"),
        (
            "p50 / p95 / p99, minutes",
            f"{day.p50_minutes:,.0f} / {day.p95_minutes:,.0f} / {day.p99_minutes:,.0f}",
        ),
        ("oldest that waits, minutes", f"{day.worst_age_minutes:,.0f}"),
        ("US dollars a day", f"{day.usd:,.2f}"),
        ("of that, compute and network", f"{compute_usd(day):,.2f}"),
    ]


_BY_SIZE = ("Fargate", "public IPv4", "NAT", "interface endpoints", "Container Insights")


def compute_usd(day: Figures) -> float:
    """The costs that depend on how the work is run, and not on how many bytes and objects there are."""
    return sum(item.usd for item in day.bill if item.name.startswith(_BY_SIZE))
