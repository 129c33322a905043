"""An archive on the scratch disk, for servers that do not serve ranges.

Room is taken from the disk budget, and the disk itself is asked, before the bytes are written. The file has
no name once it is open, so nothing is left behind however the process ends.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.worker.bounds.budget import ByteBudget, Grant
from runtime.worker.fetch.errors import DownloadFailed, NoScratchSpace
from runtime.worker.fetch.identity import Identity
from runtime.worker.fetch.meter import Stalled
from runtime.worker.fetch.patience import Connector, Patience, answer_problem
from runtime.worker.fetch.transport import Response
from runtime.worker.http.connection import WireError

_BUFFER_BYTES = 256 * 1024
_STEP_BYTES = 64 * 1024 * 1024  # taken at a time when the archive's size is not announced


class Scratch:
    """The scratch directory and what may be used of it."""

    def __init__(self, directory: Path, budget_bytes: int) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.budget = ByteBudget(budget_bytes)

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

    def __init__(self, descriptor: int, identity: Identity, grants: list[Grant]) -> None:
        self._descriptor = descriptor
        self._grants = grants
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

    def close(self) -> None:
        os.close(self._descriptor)
        for grant in self._grants:
            grant.release()


def spool_archive(connector: Connector, scratch: Scratch) -> SpooledArchive:
    """Download the whole archive to disk; a broken download starts again from its first byte.

    Raises NoScratchSpace, DownloadFailed, ForbiddenDownload, or what the scope ended with.
    """
    patience = Patience(connector)
    grants: list[Grant] = []
    try:
        while True:
            url = connector.locator.url
            try:
                with connector.transport.get(url, {}, connector.scope) as response:
                    if response.head.status == 200:
                        length = _announced(response)
                        if length is None or _reserve(scratch, grants, length):
                            return _receive(connector, scratch, response, grants, length)
                    elif answer_problem(response, patience, url):
                        continue
                    else:
                        raise DownloadFailed(f"the server answered {response.head.status}")
            except (WireError, Stalled) as error:
                connector.scope.check()
                patience.failed(f"the download broke: {error}")
                continue
            # Others hold the disk: wait for it without keeping a connection open.
            grants.append(scratch.budget.acquire(length, connector.scope))
    except BaseException:
        for grant in grants:
            grant.release()
        raise


def _announced(response: Response) -> int | None:
    length = response.head.headers.get("content-length", "")
    return int(length) if length.isdecimal() else None


def _reserve(scratch: Scratch, grants: list[Grant], size: int) -> bool:
    """Whether `size` bytes are ours now. Raises NoScratchSpace when they can never be."""
    held = sum(grant.size for grant in grants)
    if size > scratch.budget.total:
        raise NoScratchSpace(f"{size} bytes to spool, SCRATCH_BUDGET_BYTES is {scratch.budget.total}")
    scratch.require_free(size)
    if held >= size:
        return True
    grant = scratch.budget.try_acquire(size - held)
    if grant is not None:
        grants.append(grant)
    return grant is not None


def _receive(
    connector: Connector, scratch: Scratch, response: Response, grants: list[Grant], length: int | None
) -> SpooledArchive:
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    watch = connector.watch()
    written = 0
    with scratch.open_file() as descriptor:
        while count := response.readinto(buffer):
            if length is None and written + count > sum(grant.size for grant in grants):
                scratch.require_free(_STEP_BYTES)
                grant = scratch.budget.try_acquire(min(_STEP_BYTES, scratch.budget.total))
                if grant is None:
                    raise NoScratchSpace(f"the scratch budget is used up after {written} bytes")
                grants.append(grant)
            _write_all(descriptor, buffer[:count])
            written += count
            connector.meter.add(count)
            watch.add(count)
        return SpooledArchive(descriptor, Identity.of(response.head, written), grants)


def _write_all(descriptor: int, view: memoryview) -> None:
    try:
        while len(view):
            view = view[os.write(descriptor, view) :]
    except OSError as error:
        raise NoScratchSpace(f"writing to the scratch disk failed: {error}") from error
