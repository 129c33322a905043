"""Reading a `Retry-After` header: seconds, or an HTTP date (RFC 9110, section 10.2.3).

The header comes from outside and may hold anything: what cannot be read counts as absent, what is past asks
for nothing, and nobody's header makes us wait longer than our own longest pause.
"""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from runtime.shared.consumer.backoff import MAX_PAUSE_S

# RFC 9110 knows whole seconds only; fractions are what several rate limiters send.
_DELAY_SECONDS = re.compile(r"([0-9]+)(\.[0-9]{1,9})?")
# More digits than these are longer than the longest pause, and could be too many for a float.
_MANY_DIGITS = 9


def retry_after_s(text: str | None, now: datetime) -> float | None:
    """Seconds from `now` (aware), between 0 and 15 minutes; None when absent or unreadable."""
    text = (text or "").strip()
    if found := _DELAY_SECONDS.fullmatch(text):
        whole, fraction = found[1].lstrip("0"), found[2] or ""
        if len(whole) > _MANY_DIGITS:
            return MAX_PAUSE_S
        return min(float(f"0{whole}{fraction}"), MAX_PAUSE_S)
    moment = _http_date(text)
    if moment is None:
        return None
    # Compared before they are subtracted: the ends of the calendar are too far apart for a date's arithmetic.
    if moment <= now:
        return 0.0
    return min((moment - now).total_seconds(), MAX_PAUSE_S)


def _http_date(text: str) -> datetime | None:
    """The moment of an HTTP date in any of its three forms; without a zone it is UTC."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
