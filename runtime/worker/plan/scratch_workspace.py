"""The planner's columns, a value for every entry, on the scratch disk once they are more than a little.

The files have no name, so nothing is left behind however the process ends; their pages are read through the
page cache and need not stay in memory. Room is only ever tried for: whoever plans holds memory, and must not
wait for disk.
"""

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager

from runtime.shared.sizes import MIB
from runtime.worker.archive.limits import Buffer
from runtime.worker.archive.workspace import Code, Content
from runtime.worker.bounds.budget import Grant
from runtime.worker.fetch.errors import NoScratchSpace
from runtime.worker.fetch.spool import Scratch

_HEAP_BYTES = 128 * 1024  # of one spill, before it goes to disk
_STEP_BYTES = 16 * MIB  # taken of the disk's budget at a time


class ScratchSpill:
    """In memory while it is small, else in a file."""

    def __init__(self, workspace: "ScratchWorkspace") -> None:
        self._workspace = workspace
        self._written = 0
        self._tail = bytearray()
        self._descriptor: int | None = None

    def append(self, data: Buffer) -> int:
        """Raises NoScratchSpace."""
        at = self._written + len(self._tail)
        self._tail += data
        if len(self._tail) >= _HEAP_BYTES:
            self._flush()
        return at

    def read(self, offset: int, length: int) -> bytes:
        if self._descriptor is None or offset >= self._written:
            start = offset - self._written
            return bytes(self._tail[start : start + length])
        return os.pread(self._descriptor, length, offset)

    def content(self) -> Content:
        if self._descriptor is None:
            return bytes(self._tail)
        return self._map(mmap.ACCESS_READ)

    def numbers(self, code: Code) -> memoryview:
        if self._descriptor is None:
            return memoryview(self._tail).cast(code)
        return memoryview(self._map(mmap.ACCESS_WRITE)).cast(code)

    def _map(self, access: int) -> mmap.mmap:
        self._flush()
        assert self._descriptor is not None
        mapped = mmap.mmap(self._descriptor, self._written, access=access)
        self._workspace.mapped(mapped)
        return mapped

    def _flush(self) -> None:
        if self._descriptor is None:
            self._descriptor = self._workspace.open_file()
        self._workspace.take(len(self._tail))
        view = memoryview(self._tail)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise NoScratchSpace(f"writing to the scratch disk failed: {error}") from error
        self._written += len(self._tail)
        self._tail = bytearray()


class ScratchWorkspace:
    """The spills of one archive; `close` gives their room back. See `archive.workspace.Workspace`."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._descriptors: list[int] = []
        self._mapped: list[mmap.mmap] = []
        self._grants: list[Grant] = []
        self._room = 0

    def spill(self) -> ScratchSpill:
        return ScratchSpill(self)

    def let_go(self) -> None:
        for mapped in self._mapped:
            mapped.madvise(mmap.MADV_DONTNEED)

    def open_file(self) -> int:
        """Closed with the workspace."""
        with self._scratch.open_file() as descriptor:
            self._descriptors.append(descriptor)
            return descriptor

    def mapped(self, mapped: mmap.mmap) -> None:
        """Its pages may be let go."""
        self._mapped.append(mapped)

    def take(self, size: int) -> None:
        """Room for so many more bytes. Raises NoScratchSpace."""
        while self._room < size:
            grant = self._scratch.tables.try_acquire(min(_STEP_BYTES, self._scratch.tables.total))
            if grant is None:
                raise NoScratchSpace("other archives' plans take all the scratch disk that is for them")
            self._scratch.require_free(grant.size)
            self._grants.append(grant)
            self._room += grant.size
        self._room -= size

    def close(self) -> None:
        """The mappings go with whoever still refers to them."""
        self._mapped.clear()
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors.clear()
        for grant in self._grants:
            grant.release()
        self._grants.clear()


@contextmanager
def scratch_workspace(scratch: Scratch) -> Iterator[ScratchWorkspace]:
    """A workspace for the duration of a `with` block."""
    workspace = ScratchWorkspace(scratch)
    try:
        yield workspace
    finally:
        workspace.close()
