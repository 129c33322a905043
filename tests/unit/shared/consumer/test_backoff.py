"""How long a message waits before it comes back."""

from hypothesis import given
from hypothesis import strategies as st

from runtime.shared.consumer.backoff import MAX_PAUSE_S, full_jitter, visibility_for
from runtime.shared.consumer.sqs_limits import MAX_VISIBILITY_S


@given(st.integers(-5, 10**9), st.floats(0.01, 1e4), st.floats(0.01, MAX_PAUSE_S))
def test_back_off_stays_between_zero_and_its_ceiling(attempt: int, base_s: float, max_s: float) -> None:
    assert full_jitter(attempt, base_s=base_s, max_s=max_s, uniform=lambda low, _high: low) == 0
    ceiling = full_jitter(attempt, base_s=base_s, max_s=max_s, uniform=lambda _low, high: high)
    assert ceiling <= max_s
    assert ceiling >= min(base_s, max_s)


@given(st.floats(allow_nan=False), st.floats(0, 1e6))
def test_no_visibility_ends_beyond_twelve_hours(delay_s: float, held_s: float) -> None:
    seconds = visibility_for(delay_s, held_s)
    assert seconds >= 0
    assert seconds == 0 or seconds + held_s < MAX_VISIBILITY_S
