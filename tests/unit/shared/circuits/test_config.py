"""A configuration that cannot work is refused when it is made."""

from typing import Any

import pytest

from runtime.shared.circuits import CircuitConfig


@pytest.mark.parametrize(
    "change",
    [
        {"failures": 0},
        {"failure_rate": 0},
        {"failure_rate": 1.1},
        {"failure_rate": float("nan")},
        {"minimum_calls": 4},
        {"window_s": 0},
        {"reset_s": -1},
        {"reset_s": float("nan")},
        {"probe_deadline_s": 0},
    ],
)
def test_nonsense_is_refused_with_its_name(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        CircuitConfig(**change)
