"""How long to wait before something is tried again: exponential with full jitter, inside what SQS allows."""

import math
import random
from collections.abc import Callable

from .sqs_limits import MAX_VISIBILITY_S

MAX_PAUSE_S = 900.0
"""No pause is longer, whoever asks for it: work that waits must be seen again before people look for it."""

# The cap counts from the receipt on SQS's clock; a request on the wire needs some of it.
CAP_MARGIN_S = 30


def full_jitter(
    attempt: int,
    *,
    base_s: float,
    max_s: float,
    at_least_s: float | None = None,
    uniform: Callable[[float, float], float] = random.uniform,
) -> float:
    """Seconds between 0 and min(max, base · 2^(attempt-1)), on top of what the other side asked for.

    `attempt` counts from 1. `at_least_s` is a `Retry-After`: a floor to which the jitter is added, so that
    those who were told the same time do not come back together. Never longer than MAX_PAUSE_S. Full jitter
    spreads a burst of failures best; see "Exponential Backoff and Jitter" in the AWS Architecture Blog.
    """
    # The exponent is bounded so that an attempt counted in thousands does not overflow a float.
    ceiling = min(max_s, base_s * 2.0 ** min(max(attempt, 1) - 1, 60))
    floor = min(max(0.0, at_least_s or 0.0), MAX_PAUSE_S)
    return min(floor + uniform(0.0, ceiling), MAX_PAUSE_S)


def visibility_for(delay_s: float, held_s: float) -> int:
    """Whole seconds to ask for after holding the message for `held_s`.

    SQS refuses what ends beyond 12 hours.
    """
    room = MAX_VISIBILITY_S - CAP_MARGIN_S - held_s
    # Limited before it is rounded: rounding refuses an infinity.
    return math.ceil(max(0.0, min(delay_s, math.floor(room))))
