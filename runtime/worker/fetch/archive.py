"""An archive that can be read at any place: over ranges where the server serves them, else spooled."""

from http import HTTPStatus
from typing import Protocol

from runtime.worker.fetch.errors import DownloadFailed, NoRanges
from runtime.worker.fetch.identity import Identity, content_range
from runtime.worker.fetch.meter import Stalled
from runtime.worker.fetch.patience import Connector, Patience, answer_problem
from runtime.worker.fetch.ranges import RangeStream
from runtime.worker.fetch.spool import Scratch, spool_archive
from runtime.worker.fetch.transport import Response
from runtime.worker.http.errors import TransferError

# The end record with the longest comment it may have (22 + 65,535): one read finds most directories whole.
TAIL_BYTES = 65_557


class ByteStream(Protocol):
    """Bytes of an archive in order, from `position` on."""

    position: int

    def read_exactly(self, view: memoryview) -> None: ...
    def skip(self, count: int) -> None: ...
    def close(self) -> None: ...


class ArchiveBytes(Protocol):
    """An opened archive. `tail` holds its last bytes when opening it brought them along."""

    size: int
    identity: Identity
    tail: bytes | None
    ranged: bool

    def read_at(self, offset: int, length: int) -> bytes: ...
    def stream(self, start: int, stop: int) -> ByteStream: ...

    def stream_anew(self, start: int, stop: int) -> ByteStream:
        """The same bytes fetched once more, on a fresh connection and past caches: these are in doubt."""
        ...

    def close(self) -> None: ...


class RangedArchive:
    """An archive on a server that serves ranges."""

    ranged = True

    def __init__(self, connector: Connector, identity: Identity, tail: bytes) -> None:
        self._connector = connector
        self.identity = identity
        self.size = identity.size
        self.tail: bytes | None = tail

    def read_at(self, offset: int, length: int) -> bytes:
        """Exactly these bytes. Raises as RangeStream does."""
        at_tail = offset - (self.size - len(self.tail or b""))
        if self.tail is not None and at_tail >= 0:
            return self.tail[at_tail : at_tail + length]
        buffer = bytearray(length)
        if length:
            stream = self.stream(offset, offset + length)
            try:
                stream.read_exactly(memoryview(buffer))
            finally:
                stream.close()
        return bytes(buffer)

    def stream(self, start: int, stop: int) -> RangeStream:
        return RangeStream(self._connector, self.identity, start, stop)

    def stream_anew(self, start: int, stop: int) -> RangeStream:
        return RangeStream(self._connector, self.identity, start, stop, anew=True)

    def close(self) -> None:
        """Its streams close their own connections."""


def open_archive(
    connector: Connector, scratch: Scratch, *, ranges: bool = True, anew: bool = False
) -> ArchiveBytes:
    """Open by a suffix range; spool when the server does not serve ranges (or `ranges` says not to try).

    `anew`: past caches, because an answer of before was damaged.

    Raises DownloadFailed, NoScratchSpace, ForbiddenDownload, or what the scope ended with.
    """
    if ranges:
        try:
            return _open_ranged(connector, anew=anew)
        except NoRanges:
            pass
    return spool_archive(connector, scratch, anew=anew)


def _open_ranged(connector: Connector, *, anew: bool) -> RangedArchive:
    patience = Patience(connector)
    while True:
        url = connector.locator.url
        try:
            headers = {"Range": f"bytes=-{TAIL_BYTES}"}
            with connector.transport.get(url, headers, connector.scope, anew=anew) as response:
                head = response.head
                if head.status == HTTPStatus.PARTIAL_CONTENT:
                    return _from_tail(connector, response)
                if head.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    # An empty archive has no last bytes; anything else here is a server without suffix
                    # ranges.
                    if head.headers.get("content-range", "").replace(" ", "") == "bytes*/0":
                        return RangedArchive(connector, Identity.of(head, 0), b"")
                    raise NoRanges("no suffix ranges")
                if head.status in (200, 400, 405, 501):
                    raise NoRanges(f"the server answered a range with {head.status}")
                if not answer_problem(response, patience, url):
                    raise DownloadFailed(f"the server answered {head.status}")
        except (TransferError, Stalled) as error:
            connector.scope.check()
            patience.failed(f"opening the archive failed: {error}")


def _from_tail(connector: Connector, response: Response) -> RangedArchive:
    first, last, total = content_range(response.head)
    if total is None or last != total - 1 or first != max(0, total - TAIL_BYTES):
        raise NoRanges(f"asked for the last {TAIL_BYTES} bytes, got {first}-{last} of {total}")
    tail = bytearray(total - first)
    view, watch = memoryview(tail), connector.watch()
    while view.nbytes:
        count = response.readinto(view)
        if count == 0:
            raise TransferError("the answer ended early")
        watch.add(count)
        connector.meter.add(count)
        view = view[count:]
    return RangedArchive(connector, Identity.of(response.head, total), bytes(tail))
