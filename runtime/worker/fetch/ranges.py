"""Reading an archive by ranges: any span of it, going on at the byte where a connection broke.

Every answer is checked to be the range that was asked for, of the archive that was opened. What a server
sends instead is either survived (a dropped or stalled connection, an expired URL, 429 and 5xx), or told
apart: the archive changed, or the server does not serve ranges truthfully.
"""

from contextlib import ExitStack, suppress
from http import HTTPStatus

from runtime.shared.http.errors import TransferError
from runtime.worker.fetch.errors import ArchiveChanged, NoRanges
from runtime.worker.fetch.identity import Identity, content_range, unsatisfied_size
from runtime.worker.fetch.meter import Stalled
from runtime.worker.fetch.patience import Connector, Patience, answer_problem
from runtime.worker.fetch.transport import Response


class RangeStream:
    """The bytes [start, stop) of the archive, in order, however many connections that takes.

    `anew`: on connections of its own and past every cache, for bytes that are in doubt.
    """

    def __init__(
        self, connector: Connector, identity: Identity, start: int, stop: int, *, anew: bool = False
    ) -> None:
        self._connector = connector
        self._anew = anew
        self._identity = identity
        self.position = start
        self._stop = stop
        self._open = ExitStack()
        self._response: Response | None = None
        self._answer_stop = start
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
        scratch = memoryview(bytearray(min(count, 65_536)))
        while count:
            step = min(count, len(scratch))
            self.read_exactly(scratch[:step])
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
                count = self._response.readinto(view[: self._answer_stop - self.position])
                if count == 0:
                    raise TransferError("the answer ended early")
                self._watch.add(count)
            except (TransferError, Stalled) as error:
                self.close()
                self._connector.scope.check()
                self._patience.failed(f"the download broke at byte {self.position}: {error}")
                self._watch = self._connector.watch()
                continue
            self.position += count
            if self.position == self._answer_stop:
                self._finish(self._response)
            self._patience.progressed(count)
            self._connector.meter.add(count)
            return count

    def _connect(self) -> None:
        url = self._connector.locator.url
        headers = {"Range": f"bytes={self.position}-{self._stop - 1}"}
        # A cache may answer a conditional request from what it holds, which is what is in doubt.
        if self._identity.if_range is not None and not self._anew:
            headers["If-Range"] = self._identity.if_range
        response = self._open.enter_context(
            self._connector.transport.get(url, headers, self._connector.scope, anew=self._anew)
        )
        head = response.head
        if head.status == HTTPStatus.PARTIAL_CONTENT:
            first, last, total = content_range(head)
            self._identity.check(head, total)
            # A server may answer with less than was asked for (RFC 9110, 15.3.7), and some always do.
            if first != self.position or last >= self._stop:
                raise NoRanges(f"asked for bytes {self.position}-{self._stop - 1}, got {first}-{last}")
            self._response, self._answer_stop = response, last + 1
            return
        try:
            if head.status == HTTPStatus.OK:
                length = head.headers.get("content-length", "")
                self._identity.check(head, int(length) if length.isdecimal() else None)
                raise NoRanges("the server answered a range with the whole archive")
            if head.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                if unsatisfied_size(head) == self._identity.size:
                    raise NoRanges(f"the server refuses bytes {self.position}-{self._stop - 1} of it")
                raise ArchiveChanged(f"it no longer reaches byte {self.position}")
            answer_problem(response, self._patience, url)
        finally:
            self.close()

    def _finish(self, response: Response) -> None:
        """The range's last byte is here: it must be the answer's, too.

        Content-Length was compared before. Without one, a whole archive could pass for the range.
        """
        more = 0
        if "content-length" not in response.head.headers or response.head.is_chunked:
            with suppress(TransferError):  # all that was wanted is here
                more = response.readinto(memoryview(bytearray(1)))
        self.close()
        if more:
            raise NoRanges("the server sends more than the range that was asked for")
