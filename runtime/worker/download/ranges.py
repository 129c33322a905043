"""Reading an archive by ranges: any span of it, going on at the byte where a connection broke.

Every answer is checked to be the range that was asked for, of the archive that was opened. What a server
sends instead is either survived (a dropped or stalled connection, an expired URL, 429 and 5xx), or told
apart: the archive changed, or the server does not serve ranges truthfully.
"""

import email.utils
import random
import re
import time
from contextlib import ExitStack
from dataclasses import dataclass
from http import HTTPStatus

from runtime.worker.download.errors import ArchiveChanged, DownloadFailed, NoRanges
from runtime.worker.download.locator import Locator
from runtime.worker.download.meter import ByteMeter, Stalled, StallWatch
from runtime.worker.download.transport import Response, Transport, read_error
from runtime.worker.net.wire import Head, WireError
from runtime.worker.scope import Scope

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_EXPIRED = frozenset({401, 403, 404, 410})
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_ATTEMPTS = 6  # in a row, without progress worth the name
_PROGRESS_BYTES = 64 * 1024
_BACK_OFF_BASE_S = 0.2
_BACK_OFF_MAX_S = 10.0
_LONGEST_WAIT_S = 30.0  # what a Retry-After may hold a slot; longer ones go back to the queue


@dataclass(frozen=True)
class Identity:
    """What makes an archive the same one: its length and its validators."""

    size: int
    etag: str | None
    last_modified: str | None

    @classmethod
    def of(cls, head: Head, size: int) -> "Identity":
        return cls(size, head.headers.get("etag"), head.headers.get("last-modified"))

    @property
    def if_range(self) -> str | None:
        """A validator strong enough for If-Range."""
        if self.etag is not None:
            return None if self.etag.startswith("W/") else self.etag
        return self.last_modified

    def check(self, head: Head, size: int | None) -> None:
        """Raises ArchiveChanged when an answer is of another archive."""
        etag = head.headers.get("etag")
        if self.etag is not None and etag is not None and etag != self.etag:
            raise ArchiveChanged(f"its ETag was {self.etag} and is now {etag}")
        if size is not None and size != self.size:
            raise ArchiveChanged(f"it was {self.size} bytes long and is now {size}")
        modified = head.headers.get("last-modified")
        if self.etag is None and self.last_modified and modified and modified != self.last_modified:
            raise ArchiveChanged(f"it was last modified {self.last_modified} and is now {modified}")


@dataclass(frozen=True)
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


class RangeStream:
    """The bytes [start, stop) of the archive, in order, however many connections that takes."""

    def __init__(self, connector: Connector, identity: Identity, start: int, stop: int) -> None:
        self._connector = connector
        self._identity = identity
        self.position = start
        self._stop = stop
        self._open = ExitStack()
        self._response: Response | None = None
        self._patience = Patience(connector)
        self._watch = connector.watch()

    def read_exactly(self, view: memoryview) -> None:
        """Fill `view`. Raises DownloadFailed, ArchiveChanged, NoRanges, ForbiddenDownload, or the scope's."""
        done = 0
        self._watch.pause()
        while done < len(view):
            done += self._read_some(view[done:])

    def skip(self, count: int) -> None:
        """Read past `count` bytes, or leave this connection when that is cheaper than reading them."""
        if count > 256 * 1024:
            self.close()
            self.position += count
            return
        sink = memoryview(bytearray(min(count, 65_536)))
        while count:
            step = min(count, len(sink))
            self.read_exactly(sink[:step])
            count -= step

    def close(self) -> None:
        self._response = None
        self._open.close()

    def _read_some(self, view: memoryview) -> int:
        while True:
            try:
                if self._response is None:
                    self._connect()
                    continue
                count = self._response.readinto(view)
                if count == 0:
                    raise WireError("the answer ended early")
                self._watch.add(count)
            except (WireError, Stalled) as error:
                self.close()
                self._connector.scope.check()
                self._patience.failed(f"the download broke at byte {self.position}: {error}")
                self._watch = self._connector.watch()
                continue
            self.position += count
            self._patience.progressed(count)
            self._connector.meter.add(count)
            return count

    def _connect(self) -> None:
        url = self._connector.locator.url
        headers = {"Range": f"bytes={self.position}-{self._stop - 1}"}
        if self._identity.if_range is not None:
            headers["If-Range"] = self._identity.if_range
        response = self._open.enter_context(
            self._connector.transport.get(url, headers, self._connector.scope)
        )
        head = response.head
        if head.status == HTTPStatus.PARTIAL_CONTENT:
            first, last, total = content_range(head)
            self._identity.check(head, total)
            if first != self.position or last != self._stop - 1:
                raise NoRanges(f"asked for bytes {self.position}-{self._stop - 1}, got {first}-{last}")
            self._response = response
            return
        try:
            if head.status == HTTPStatus.OK:
                length = head.headers.get("content-length", "")
                self._identity.check(head, int(length) if length.isdecimal() else None)
                raise NoRanges("the server answered a range with the whole archive")
            if head.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise ArchiveChanged(f"it no longer reaches byte {self.position}")
            if not answer_problem(response, self._patience, url):
                raise DownloadFailed(f"the server answered {head.status}")
        finally:
            self.close()


def content_range(head: Head) -> tuple[int, int, int | None]:
    """First byte, last byte and total of a 206. Raises NoRanges when the header is missing or nonsense."""
    text = head.headers.get("content-range", "")
    found = _CONTENT_RANGE.fullmatch(text.strip())
    if found is None:
        raise NoRanges(f"a 206 without a usable Content-Range: {text[:60]!r}")
    total = None if found[3] == "*" else int(found[3])
    return int(found[1]), int(found[2]), total
