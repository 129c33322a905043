"""`Retry-After`: both forms, and whatever servers send instead."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.shared.consumer.backoff import MAX_PAUSE_S
from runtime.shared.retry_after import retry_after_s

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

dates = st.builds(
    "{}, {:02} {} {:04} {:02}:{:02}:{:02} {}".format,
    st.sampled_from(("Sun", "Sunday", "Xyz", "")),
    st.integers(0, 40),
    st.sampled_from(("Jan", "Feb", "Mar", "Dec", "Foo")),
    st.integers(0, 10_000),
    st.integers(0, 30),
    st.integers(0, 70),
    st.integers(0, 70),
    st.sampled_from(("GMT", "UTC", "", "EST", "-0000"))
    | st.integers(-(10**14), 10**14).map(lambda offset: f"{offset:+05}"),
)


@given(st.text(max_size=40) | st.integers().map(str) | st.datetimes().map(format_datetime) | dates)
def test_it_is_sane_whatever_it_says(text: str) -> None:
    seconds = retry_after_s(text, NOW)
    assert seconds is None or 0 <= seconds <= MAX_PAUSE_S


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0),
        (" 7 ", 7),
        ("007", 7),
        ("900", 900),
        # A day, an epoch number, and what a float cannot hold (atlassian-python-api #1600).
        ("86400", MAX_PAUSE_S),
        ("1772366400", MAX_PAUSE_S),
        ("9" * 400, MAX_PAUSE_S),
        ("0" * 400 + "5", 5),
        # Several rate limiters send fractions (urllib3 #2861, SpaceTraders #24).
        ("0.493", 0.493),
        ("1.", None),
        ("1e3", None),
        # What float() takes for a number (tavily-python #166), and a parser of prefixes for 120.
        ("nan", None),
        ("inf", None),
        ("1_0", None),
        ("-1", None),
        ("+5", None),
        ("120junk", None),
        ("٣", None),
        # The three forms of an HTTP date (RFC 9110, 5.6.7).
        ("Sun, 01 Mar 2026 12:02:00 GMT", 120),
        ("Sunday, 01-Mar-26 12:02:00 GMT", 120),
        ("Sun Mar  1 12:02:00 2026", 120),
        ("Sun, 01 Mar 2026 12:02:00 -0000", 120),
        ("Sun, 01 Mar 2026 14:02:00 +0200", 120),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("Mon, 02 Mar 2026 12:00:00 GMT", MAX_PAUSE_S),
        ("Fri, 31 Dec 9999 23:59:59 -2359", MAX_PAUSE_S),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0),
        # Dates that a parser of dates stumbles over (cpython gh-153406).
        ("Sun, 01 Mar 2026 12:02:00 +9999999999999", None),
        ("Sun, 99 Mar 2026 12:02:00 GMT", None),
        ("Sun, 01 Mar 99999999999 12:02:00 GMT", None),
    ],
)
def test_what_it_means(text: str | None, seconds: float | None) -> None:
    assert retry_after_s(text, NOW) == seconds
