"""An archive on the scratch disk, for servers that do not serve ranges.

Room is taken from the disk budget, and the disk itself is asked, before the bytes are written. The file has
no name once it is open, so nothing is left behind however the process ends.
"""

import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from runtime.shared.http.errors import TransferError
from runtime.shared.http.grammar import Head
from runtime.shared.sizes import MIB
from runtime.worker.bounds.budget import ByteBudget, Grant
from runtime.worker.fetch.content_coding import Body, body_of
from runtime.worker.fetch.errors import ArchiveChanged, DownloadFailed, NoRanges, NoScratchSpace
from runtime.worker.fetch.identity import Identity, content_range
from runtime.worker.fetch.meter import Stalled
from runtime.worker.fetch.patience import Connector, Patience, answer_problem
from runtime.worker.fetch.transport import Response

_log = logging.getLogger(__name__)
T = TypeVar("T")

_MOST_DOWNLOADS = 4  # of one archive, until two agree on the bytes in doubt
_BUFFER_BYTES = 256 * 1024
_SHARE_OF_TABLES = 4  # one in so many bytes is for what plans keep of an archive's entries
_STEP_BYTES = 64 * MIB  # taken at a time when the archive's size is not announced


class Scratch:
    """The scratch directory and what may be used of it."""

    def __init__(self, directory: Path, budget_bytes: int) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.budget = ByteBudget(budget_bytes - budget_bytes // _SHARE_OF_TABLES)
        self.tables = ByteBudget(budget_bytes // _SHARE_OF_TABLES)
        """Of its own, because whoever waits to spool may wait long, and plans must not wait for disk."""

    def require_free(self, size: int) -> None:
        """Raises NoScratchSpace when the disk itself has less than `size` bytes left."""
        free = shutil.disk_usage(self.directory).free
        if size > free:
            raise NoScratchSpace(f"{size} bytes to spool, {free} free in {self.directory}")

    @contextmanager
    def open_file(self) -> Iterator[int]:
        descriptor, name = tempfile.mkstemp(dir=self.directory, prefix="spool-")
        try:
            Path(name).unlink()
            yield descriptor
        except BaseException:
            os.close(descriptor)
            raise


class SpooledStream:
    """The bytes [start, …) of a spooled archive, in order."""

    def __init__(self, descriptor: int, start: int) -> None:
        self._descriptor = descriptor
        self.position = start

    def read_exactly(self, view: memoryview) -> None:
        while len(view):
            count = os.preadv(self._descriptor, [view], self.position)
            if count == 0:
                raise DownloadFailed("the spooled archive is shorter than it was")
            self.position += count
            view = view[count:]

    def skip(self, count: int) -> None:
        self.position += count

    def close(self) -> None:
        """Nothing of its own to close."""


class SpooledArchive:
    """A whole archive on scratch disk; `close` gives its room back."""

    ranged = False

    def __init__(
        self, connector: Connector, descriptor: int, identity: Identity, grants: list[Grant]
    ) -> None:
        self._connector = connector
        self._descriptor = descriptor
        self._grants = grants
        self._fetching = threading.Lock()
        self._downloads = 1
        self._differing: list[tuple[int, int]] = []  # where the last two downloads disagree
        self.identity = identity
        self.size = identity.size
        self.tail: bytes | None = None

    def read_at(self, offset: int, length: int) -> bytes:
        data = os.pread(self._descriptor, length, offset)
        if len(data) != length:
            raise DownloadFailed(f"the spooled archive ends before byte {offset + length}")
        return data

    def stream(self, start: int, stop: int) -> SpooledStream:  # noqa: ARG002 -- the ranged one needs it
        return SpooledStream(self._descriptor, start)

    def stream_anew(self, start: int, stop: int) -> SpooledStream:
        """The bytes as they are after the archive was spooled again, over the first copy.

        Once two downloads agree on them, no third one is made: the archive holds them so. Raises
        DownloadFailed when they never do, ArchiveChanged, ForbiddenDownload, or what the scope ended with.
        """
        with self._fetching:
            if self._downloads == 1 or any(start < last and first < stop for first, last in self._differing):
                if self._downloads == _MOST_DOWNLOADS:
                    raise DownloadFailed(
                        f"the archive came differently each of {_MOST_DOWNLOADS} times", of_host=False
                    )
                _log.info("Spooling again: bytes %d-%d are in doubt", start, stop - 1)
                patience = Patience(self._connector)
                self._differing = _get_whole(self._connector, patience, self._overwrite, anew=True)
                self._downloads += 1
        return SpooledStream(self._descriptor, start)

    def _overwrite(self, response: Response) -> list[tuple[int, int]]:
        """Put a further download over the file; returns where it differs.

        What reads the file meanwhile sees either copy, and checks what it reads.
        """
        body = body_of(response)
        self.identity.check(response.head, body.length)
        buffer = memoryview(bytearray(_BUFFER_BYTES))
        watch = self._connector.watch()
        at, differing = 0, []
        while count := body.readinto(buffer):
            piece = buffer[:count]
            if at + count > self.size:
                break
            if os.pread(self._descriptor, count, at) != piece:
                differing.append((at, at + count))
                _write_all(self._descriptor, piece, at)
            at += count
            self._connector.meter.add(count)
            watch.add(count)
        if at + count != self.size:
            raise ArchiveChanged(f"it was {self.size} bytes long and is now {at + count}")
        return differing

    def close(self) -> None:
        os.close(self._descriptor)
        for grant in self._grants:
            grant.release()


def spool_archive(
    connector: Connector, scratch: Scratch, patience: Patience, *, anew: bool = False
) -> SpooledArchive:
    """Download the whole archive to disk; a broken download starts again from its first byte.

    Raises NoScratchSpace, DownloadFailed, ForbiddenDownload, or what the scope ended with.
    """
    grants: list[Grant] = []

    def take(response: Response) -> SpooledArchive:
        body = body_of(response)
        if body.length is not None:
            _reserve(scratch, grants, body.length)
        return _receive(connector, scratch, response.head, body, grants)

    try:
        while True:
            try:
                return _get_whole(connector, patience, take, anew=anew)
            except _DiskInUse as busy:
                # Others hold the disk: wait for it without keeping a connection open.
                grants.append(scratch.budget.acquire(busy.size, connector.scope))
    except BaseException:
        for grant in grants:
            grant.release()
        raise


def _get_whole(connector: Connector, patience: Patience, take: Callable[[Response], T], *, anew: bool) -> T:
    """The result of `take` on the whole archive's answer; it begins anew with each one that breaks off."""
    while True:
        url = connector.locator.url
        try:
            with connector.transport.get(url, {}, connector.scope, anew=anew) as response:
                if response.head.status in (200, 203) or _is_whole(response.head):
                    return take(response)
                answer_problem(response, patience, url)
        except (TransferError, Stalled) as error:
            connector.scope.check()
            patience.failed(f"the download broke: {error}")


def _is_whole(head: Head) -> bool:
    """Whether a 206 that nobody asked for holds everything."""
    if head.status != 206:
        return False
    try:
        first, last, total = content_range(head)
    except NoRanges:
        return False
    return first == 0 and total == last + 1


class _DiskInUse(Exception):
    """So many bytes more of the scratch budget are needed, and others hold them."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


def _reserve(scratch: Scratch, grants: list[Grant], size: int) -> None:
    """Make `size` bytes ours. Raises _DiskInUse, or NoScratchSpace when they can never be."""
    if size > scratch.budget.total:
        raise NoScratchSpace(f"{size} bytes to spool, SCRATCH_BUDGET_BYTES is {scratch.budget.total}")
    scratch.require_free(size)
    missing = size - sum(grant.size for grant in grants)
    if missing <= 0:
        return
    grant = scratch.budget.try_acquire(missing)
    if grant is None:
        raise _DiskInUse(missing)
    grants.append(grant)


def _receive(
    connector: Connector, scratch: Scratch, head: Head, body: Body, grants: list[Grant]
) -> SpooledArchive:
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    watch = connector.watch()
    written = 0
    with scratch.open_file() as descriptor:
        while count := body.readinto(buffer):
            if body.length is None and written + count > sum(grant.size for grant in grants):
                scratch.require_free(_STEP_BYTES)
                grant = scratch.budget.try_acquire(min(_STEP_BYTES, scratch.budget.total))
                if grant is None:
                    raise NoScratchSpace(f"the scratch budget is used up after {written} bytes")
                grants.append(grant)
            _write_all(descriptor, buffer[:count], written)
            written += count
            connector.meter.add(count)
            watch.add(count)
        return SpooledArchive(connector, descriptor, Identity.of(head, written), grants)


def _write_all(descriptor: int, view: memoryview, offset: int) -> None:
    try:
        while len(view):
            count = os.pwrite(descriptor, view, offset)
            view, offset = view[count:], offset + count
    except OSError as error:
        raise NoScratchSpace(f"writing to the scratch disk failed: {error}") from error
