"""When one process's calls say that a dependency is in trouble."""

import pytest

from runtime.shared.circuits import CircuitConfig
from runtime.shared.circuits.recent_calls import RecentCalls

CONFIG = CircuitConfig(failures=5, failure_rate=0.5, minimum_calls=10, window_s=60)


def run(calls: str, step_s: float = 1.0) -> str | None:
    """`.` succeeds, `x` fails; what the last failure gave."""
    window, why, now = RecentCalls(CONFIG), None, 0.0
    for call in calls:
        now += step_s
        why = window.failed(now) if call == "x" else window.succeeded(now)
    return why


@pytest.mark.parametrize(
    ("calls", "why"),
    [
        ("xxxx", None),
        ("xxxxx", "5 failures in a row"),
        ("xxxx.xxxx", None),
        # Half of them fail, and good ones in between hide nothing.
        (".x.x.x.x.x", "5 of 10 calls failed within 60 s"),
        (".x.x.x.x", None),
        ("..x..x..x..x..x", None),
        ("x..x.x.xx.x", "6 of 11 calls failed within 60 s"),
    ],
)
def test_it_opens_on_a_run_and_on_a_rate(calls: str, why: str | None) -> None:
    assert run(calls) == why


def test_what_lies_before_the_window_is_forgotten_but_a_run_is_not() -> None:
    assert run(".x" * 20, step_s=15) is None
    assert run("xxxxx", step_s=1_000) == "5 failures in a row"
