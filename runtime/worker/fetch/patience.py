"""How long a download goes on trying: failures in a row, waits between them, and fresh URLs."""

import email.utils
import random
import time
from dataclasses import dataclass

from runtime.worker.bounds.scope import Scope
from runtime.worker.fetch.errors import DownloadFailed
from runtime.worker.fetch.locator import Locator
from runtime.worker.fetch.meter import ByteMeter, StallWatch
from runtime.worker.fetch.transport import Response, Transport, read_error
from runtime.worker.http.grammar import Head

_EXPIRED = frozenset({401, 403, 404, 410})
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_ATTEMPTS = 6  # in a row, without progress worth the name
_PROGRESS_BYTES = 64 * 1024
_BACK_OFF_BASE_S = 0.2
_BACK_OFF_MAX_S = 10.0
_LONGEST_WAIT_S = 30.0  # what a Retry-After may hold a slot; longer ones go back to the queue


@dataclass(frozen=True, kw_only=True)
class Connector:
    """What every connection of one archive shares."""

    transport: Transport
    locator: Locator
    meter: ByteMeter
    scope: Scope
    stall_min_bytes_per_s: float
    stall_window_s: float

    def watch(self) -> StallWatch:
        return StallWatch(self.stall_min_bytes_per_s, self.stall_window_s)


class Patience:
    """Counts failures in a row; waits between them with jitter, and gives up in the end."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._failures = 0
        self._renewals = 0
        self._progress = 0

    def progressed(self, count: int) -> None:
        self._progress += count
        if self._progress >= _PROGRESS_BYTES:
            self._failures = self._renewals = self._progress = 0

    def failed(self, text: str, wait_s: float | None = None) -> None:
        """Wait for the next attempt. Raises DownloadFailed when there has been enough of it."""
        self._failures += 1
        self._progress = 0
        if self._failures >= _ATTEMPTS or (wait_s or 0) > _LONGEST_WAIT_S:
            raise DownloadFailed(text, wait_s)
        pause = random.uniform(0, min(_BACK_OFF_MAX_S, _BACK_OFF_BASE_S * 2**self._failures))  # noqa: S311
        self._connector.scope.wait(max(pause, wait_s or 0))

    def refused(self, url: str, status: int) -> None:
        """The URL is no longer good: get a fresh one. Raises DownloadFailed when that does not help."""
        self._renewals += 1
        if self._renewals > 2:
            raise DownloadFailed(f"the server answers {status} even to a fresh download URL")
        self._connector.locator.renew(url)


def answer_problem(response: Response, patience: Patience, url: str) -> bool:
    """Deal with a status that is not the archive's bytes; True when the request is worth repeating."""
    status = response.head.status
    if status in _EXPIRED:
        read_error(response)
        patience.refused(url, status)
        return True
    if status in _BUSY:
        read_error(response)
        patience.failed(f"the server answered {status}", retry_after(response.head))
        return True
    return False


def retry_after(head: Head) -> float | None:
    """Seconds from a Retry-After header in either form."""
    text = head.headers.get("retry-after")
    if text is None:
        return None
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None
