"""Which assumptions the answer hangs on: each varied alone, the strongest first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ops.capacity.figures import Figures
from ops.capacity.workload import Assumptions

_SHOWN = 5
# Each with what it could be instead, low and high: nobody has measured these at the vendor or in the account.
RANGES: Mapping[str, tuple[float, float]] = {
    "archive_mb_s": (0.14, 0.56),
    "matching_share": (0.5, 1.0),
    "inflation": (1.3, 4.0),
    "small_share": (0.0, 0.05),
    "entry_mb": (0.5, 16.0),
    "stuck_share": (0.0, 0.05),
    "fargate_speed": (0.6, 1.2),
    "spot_interruptions_per_hour": (0.0, 0.2),
    "start_s": (45.0, 240.0),
    "kept_days": (7.0, 90.0),
}


@dataclass(frozen=True, kw_only=True)
class Swing:
    """One assumption at its low and its high value, and how far that moves the day."""

    name: str
    low_value: float
    high_value: float
    low: Figures
    high: Figures
    strength: float


def tornado(base: Figures, assumed: Assumptions, figures_of: Callable[[Assumptions], Figures]) -> list[Swing]:
    """The five strongest, by the larger of their moves of the bill and of the 95th percentile."""
    swings = []
    for name, (low_value, high_value) in RANGES.items():
        low, high = (figures_of(assumed.but({name: value})) for value in (low_value, high_value))
        strength = max(
            abs(high.usd - low.usd) / base.usd, abs(high.p95_minutes - low.p95_minutes) / base.p95_minutes
        )
        swings.append(
            Swing(
                name=name, low_value=low_value, high_value=high_value, low=low, high=high, strength=strength
            )
        )
    return sorted(swings, key=lambda swing: -swing.strength)[:_SHOWN]
