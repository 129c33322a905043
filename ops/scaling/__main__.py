"""`python -m ops.scaling`: prod's peak and the day after, for each way of scaling and leaving."""

from ops.scaling.leaving import KeepsPolling, LeavesWhenUnwanted, LeavingRule, StopsAtOnce
from ops.scaling.simulation import Divisor, simulate
from ops.scaling.sized import demand_of, plan_of
from stacks.environments import PROD

_WAYS: tuple[tuple[str, Divisor, LeavingRule], ...] = (
    ("by running tasks, protected while busy", "running", KeepsPolling()),
    ("by desired tasks, protected while busy", "desired", KeepsPolling()),
    ("by desired tasks, never protected", "desired", StopsAtOnce()),
    ("by desired tasks, leaves when unwanted", "desired", LeavesWhenUnwanted()),
)
# Archives that begin anew when they change hands: of servers without ranged reads.
_STUCK_SHARES = (0.0, 0.01, 0.05)


def main() -> None:
    """One line for each way and share."""
    print(
        f"{'scaling':<41}{'stuck':>6}{'task-h':>8}{'ideal':>7}{'over':>7}{'killed':>8}{'again, min':>11}"
        f"{'left':>6}"
    )
    for share in _STUCK_SHARES:
        for name, divisor, leaving in _WAYS:
            outcome = simulate(
                demand_of(PROD.load, stuck_share=share), plan_of(PROD.worker, divisor=divisor), leaving
            )
            print(
                f"{name:<41}{share:>6.0%}{outcome.task_hours:>8.0f}{outcome.ideal_task_hours:>7.0f}"
                f"{outcome.excess:>7.0%}{outcome.killed:>8}{outcome.repeated_minutes:>11.0f}"
                f"{outcome.tasks[-1]:>6}"
            )


if __name__ == "__main__":
    main()
