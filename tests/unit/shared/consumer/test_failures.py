"""A run of failures as text, and back."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.shared.consumer import FailureRun

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@given(
    st.datetimes(timezones=st.just(UTC)),
    st.integers(1, 10**8),
    st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=40),
)
def test_it_survives_the_message(since: datetime, count: int, reason: str) -> None:
    run = FailureRun(since, count, reason)
    assert FailureRun.of(run.text()) == run


@pytest.mark.parametrize(
    "text", [None, "", "x", "2026-01-01 3 reason", "2026-99-01T00:00:00 3 reason", "2026-01-01T00:00:00 -3 r"]
)
def test_what_is_none_counts_as_none(text: str | None) -> None:
    assert FailureRun.of(text) is None


def test_a_clock_that_went_back_makes_no_negative_age() -> None:
    assert FailureRun(NOW + timedelta(hours=1), 1, "r").age_s(NOW) == 0
    assert FailureRun(NOW - timedelta(hours=1), 1, "r").age_s(NOW) == 3600
