"""How long a download goes on trying: failures in a row, waits between them, and fresh URLs."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime

from runtime.shared.backoff import Backoff
from runtime.shared.http.errors import TransferError
from runtime.shared.retry_after import retry_after_s
from runtime.shared.scope import Scope
from runtime.worker.fetch.errors import DownloadFailed
from runtime.worker.fetch.locator import Locator
from runtime.worker.fetch.meter import ByteMeter, StallWatch
from runtime.worker.fetch.transport import Response, Transport, read_error

_log = logging.getLogger(__name__)

_ATTEMPTS = 6  # in a row, without progress worth the name
_PROGRESS_BYTES = 64 * 1024
_BACK_OFF_BASE_S = 0.4
_BACK_OFF_MAX_S = 10.0
_EXCERPT_BYTES = 200
_LONGEST_WAIT_S = 30.0  # what a Retry-After may hold a slot; longer ones go back to the queue


@dataclass(frozen=True, kw_only=True)
class Connector:
    """The parts that every connection of one archive shares."""

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
        self._locator = connector.locator
        self._backoff = Backoff(
            connector.scope.wait,
            attempts=_ATTEMPTS,
            base_s=_BACK_OFF_BASE_S,
            max_s=_BACK_OFF_MAX_S,
            longest_s=_LONGEST_WAIT_S,
        )
        self.renewed = False
        self._progress = 0

    def progressed(self, count: int) -> None:
        self._progress += count
        if self._progress >= _PROGRESS_BYTES:
            self._backoff.reset()
            self.renewed, self._progress = False, 0

    def failed(self, text: str, wait_s: float | None = None) -> None:
        """Wait for the next attempt. Raises DownloadFailed when there has been enough of it."""
        self._progress = 0
        _log.info("Trying the download again: %s", text)
        if not self._backoff.failed(wait_s):
            raise DownloadFailed(text, wait_s)

    def refused(self, url: str, text: str) -> None:
        """The URL may be no longer good: get a fresh one, once. Raises DownloadFailed when it was in vain."""
        if self.renewed:
            raise DownloadFailed(f"{text}, even to a fresh download URL", of_host=False)
        self.renewed = True
        _log.info("Asking for a fresh download URL: %s", text)
        self._locator.renew(url)


def is_unsupported(status: int, patience: Patience) -> bool:
    """Whether a request of this kind is what the server refuses, and not an old link."""
    return status == 501 or (status in (400, 405) and patience.renewed)


def answer_problem(response: Response, patience: Patience, url: str) -> None:
    """Deal with an answer that is not the archive's bytes; the request is then worth repeating.

    Any 4xx may mean that the link has run out: besides 401, 403, 404 and 410, S3 and Google say 400.
    Raises DownloadFailed when it is time to give up, and as the API's client does.
    """
    head = response.head
    wait_s = retry_after_s(head.headers.get("retry-after"), datetime.now(UTC))
    told = f"the server answered {head.status}{_excerpt(response)}"
    if is_busy(head.status) or (head.status == 403 and wait_s is not None):
        patience.failed(told, wait_s)
    elif 400 <= head.status < 500:
        patience.refused(url, told)
    else:
        raise DownloadFailed(told, wait_s)


def is_busy(status: int) -> bool:
    """Whether a moment may heal it: too many requests, or trouble of the server's own but 501."""
    return status in (408, 425, 429) or (status >= 500 and status != 501)


def _excerpt(response: Response) -> str:
    """The beginning of an error's body in one line: it often names the cause, as S3's <Code> does."""
    try:
        body = read_error(response)[:_EXCERPT_BYTES].decode("utf-8", "replace")
    except TransferError:
        return ""
    return f": {' '.join(body.split())}" if body.strip() else ""
