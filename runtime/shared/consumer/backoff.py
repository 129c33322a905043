"""How long a message waits before it comes back: exponential with full jitter, inside what SQS allows."""

import math
import random
from collections.abc import Callable

VISIBILITY_CAP_S = 43_200
# The cap counts from the receipt on SQS's clock; a request on the wire needs some of it.
CAP_MARGIN_S = 30


def full_jitter(
    attempt: int, *, base_s: float, max_s: float, uniform: Callable[[float, float], float] = random.uniform
) -> float:
    """Seconds between 0 and min(max, base · 2^(attempt-1)); `attempt` counts from 1.

    Full jitter spreads a burst of failures best; see "Exponential Backoff and Jitter" in the AWS Architecture
    Blog.
    """
    # The exponent is bounded so that a receive count of thousands does not overflow a float.
    ceiling = min(max_s, base_s * 2.0 ** min(max(attempt, 1) - 1, 60))
    return uniform(0.0, ceiling)


def visibility_for(delay_s: float, held_s: float) -> int:
    """Whole seconds to ask for after holding the message for `held_s`: SQS refuses what ends beyond 12
    hours.
    """
    room = VISIBILITY_CAP_S - CAP_MARGIN_S - held_s
    return max(0, min(math.ceil(delay_s), int(room)))
