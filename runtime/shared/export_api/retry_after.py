"""Reading a `Retry-After` header: seconds, or an HTTP date (RFC 9110, 10.2.3)."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# Whoever asks for longer is asked again after this; nothing may wait for ever on a header.
MAX_RETRY_AFTER_S = 43_200.0


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Seconds from `now`, between 0 and 12 hours; None when absent or unreadable."""
    text = (value or "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        # Digits beyond any sensible number are not worth converting.
        seconds = float(text) if len(text) < 12 else MAX_RETRY_AFTER_S
    else:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, IndexError, TypeError, OverflowError):
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        try:
            seconds = (moment - now).total_seconds()
        except OverflowError:
            return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)
