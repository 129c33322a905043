"""An archive that can be read at any place: over ranges where the server serves them, else spooled."""

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Protocol

from runtime.shared.http.errors import TransferError
from runtime.shared.http.grammar import Head
from runtime.shared.sizes import MIB
from runtime.worker.fetch.content_coding import content_coding
from runtime.worker.fetch.errors import NoRanges
from runtime.worker.fetch.identity import Identity, content_range, unsatisfied_size
from runtime.worker.fetch.meter import Stalled
from runtime.worker.fetch.patience import Connector, Patience, answer_problem, is_unsupported
from runtime.worker.fetch.ranges import RangeStream
from runtime.worker.fetch.spool import Scratch, spool_archive
from runtime.worker.fetch.transport import Response

_log = logging.getLogger(__name__)

# The end record with the longest comment it may have (22 + 65,535): one read finds most directories whole.
TAIL_BYTES = 65_557
_SMALL_BYTES = MIB  # a whole answer of this length is cheaper fetched again than asked about


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

    def __init__(self, connector: Connector, identity: Identity, tail: bytes | None) -> None:
        self._connector = connector
        self.identity = identity
        self.size = identity.size
        self.tail = tail

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
    connector: Connector,
    scratch: Scratch,
    *,
    ranges: bool = True,
    anew: bool = False,
    on_spool: Callable[[], object] = lambda: None,
) -> ArchiveBytes:
    """Open by a suffix range; spool when the server does not serve ranges (or `ranges` says not to try).

    `anew`: past caches, because an answer of before was damaged. `on_spool` is called before spooling begins.

    Raises DownloadFailed, NoScratchSpace, ForbiddenDownload, or what the scope ended with.
    """
    patience = Patience(connector)
    if ranges:
        opening = _Opening(connector, patience, anew=anew)
        try:
            try:
                return opening.by_suffix()
            except _NoSuffixRanges as error:
                _log.info("Opening without a suffix range: %s", error)
                return opening.by_first_byte()
        except NoRanges as error:
            _log.info("Falling back to spooling: %s", error)
    on_spool()
    return spool_archive(connector, scratch, patience, anew=anew)


class _NoSuffixRanges(Exception):
    """`bytes=-N` was not served; other ranges may be."""


class _Opening:
    """The first request for an archive, until it is answered with its bytes or not to be."""

    def __init__(self, connector: Connector, patience: Patience, *, anew: bool) -> None:
        self._connector = connector
        self._patience = patience
        self._anew = anew

    def by_suffix(self) -> RangedArchive:
        """One request for the end. Raises _NoSuffixRanges, NoRanges, DownloadFailed, ForbiddenDownload."""
        return self._ask(f"bytes=-{TAIL_BYTES}", self._from_suffix)

    def by_first_byte(self) -> RangedArchive:
        """For servers that know no suffix ranges, as Azure's storage: its length first, then its end.

        Raises NoRanges, DownloadFailed, ForbiddenDownload.
        """
        return self._ask("bytes=0-0", self._from_first_byte)

    def _ask(self, byte_range: str, take: Callable[[Response], RangedArchive]) -> RangedArchive:
        connector, patience = self._connector, self._patience
        while True:
            url = connector.locator.url
            try:
                headers = {"Range": byte_range}
                with connector.transport.get(url, headers, connector.scope, anew=self._anew) as response:
                    head = response.head
                    if head.status in (200, 203, 206, 416) or is_unsupported(head.status, patience):
                        return take(response)
                    answer_problem(response, patience, url)
            except (TransferError, Stalled) as error:
                connector.scope.check()
                patience.failed(f"opening the archive failed: {error}")

    def _from_suffix(self, response: Response) -> RangedArchive:
        head = response.head
        _require_no_coding(head)
        if head.status == HTTPStatus.PARTIAL_CONTENT:
            return self._with_tail(response)
        size = unsatisfied_size(head)
        if head.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and size == 0:
            return RangedArchive(self._connector, Identity.of(head, 0), b"")
        text = f"the last {TAIL_BYTES} bytes were asked for, and answered with {head.status}"
        length = head.headers.get("content-length", "")
        small = length.isdecimal() and int(length) <= _SMALL_BYTES and head.status < 300
        if small or head.headers.get("accept-ranges", "").lower() == "none":
            raise NoRanges(text)
        raise _NoSuffixRanges(text)

    def _with_tail(self, response: Response) -> RangedArchive:
        first, last, total = content_range(response.head)
        if total is None:  # what was asked for ends with the archive
            total = last + 1
        if last != total - 1 or first != max(0, total - TAIL_BYTES):
            raise _NoSuffixRanges(f"asked for the last {TAIL_BYTES} bytes, got {first}-{last} of {total}")
        tail = bytearray(total - first)
        view, watch = memoryview(tail), self._connector.watch()
        while view.nbytes:
            count = response.readinto(view)
            if count == 0:
                raise TransferError("the answer ended early")
            watch.add(count)
            self._connector.meter.add(count)
            view = view[count:]
        return RangedArchive(self._connector, Identity.of(response.head, total), bytes(tail))

    def _from_first_byte(self, response: Response) -> RangedArchive:
        head = response.head
        _require_no_coding(head)
        if head.status != HTTPStatus.PARTIAL_CONTENT:
            raise NoRanges(f"the first byte was asked for, and answered with {head.status}")
        first, last, total = content_range(head)
        if (first, last) != (0, 0) or total is None:
            raise NoRanges(f"asked for the first byte, got {first}-{last} of {total}")
        return RangedArchive(self._connector, Identity.of(head, total), None)


def _require_no_coding(head: Head) -> None:
    if (coding := content_coding(head)) is not None:
        raise NoRanges(f"its ranges are of the archive with Content-Encoding {coding}")
