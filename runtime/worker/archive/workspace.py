"""Where the reader keeps what it has to keep of every entry: in memory here, on scratch disk in the worker.

An archive of a million entries has a directory of some 250 MB. Whoever reads it gives a workspace whose pages
need not stay in memory, and the reader lets go of them as it goes along.
"""

from mmap import mmap
from typing import Literal, Protocol

from runtime.worker.archive.limits import Buffer

Content = bytes | mmap
"""Bytes that can be sliced and searched; slices are copies."""


Code = Literal["B", "Q"]
"""`struct`'s codes of the numbers in use: 1 and 8 bytes."""


class Spill(Protocol):
    """Bytes that grow at their end and are then read anywhere."""

    def append(self, data: Buffer) -> int:
        """Where the data begins. One thread at a time."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """One piece of what was appended; not while another thread appends."""
        ...

    def content(self) -> Content:
        """The content that has been appended so far."""
        ...

    def numbers(self, code: Code) -> memoryview:
        """The same as numbers of this code, which can be changed in place."""
        ...


class Workspace(Protocol):
    """The spills of one archive."""

    def spill(self) -> Spill: ...

    def let_go(self) -> None:
        """Let what is on disk leave memory for now; nothing is lost."""
        ...


class HeapSpill:
    """In memory."""

    def __init__(self) -> None:
        self._data = bytearray()

    def append(self, data: Buffer) -> int:
        at = len(self._data)
        self._data += data
        return at

    def read(self, offset: int, length: int) -> bytes:
        return bytes(self._data[offset : offset + length])

    def content(self) -> Content:
        return bytes(self._data)

    def numbers(self, code: Code) -> memoryview:
        return memoryview(self._data).cast(code)


class HeapWorkspace:
    """For archives whose directory is known to be small."""

    def spill(self) -> Spill:
        return HeapSpill()

    def let_go(self) -> None:
        """Nothing is on disk."""


def column(workspace: Workspace, code: Code, count: int) -> memoryview:
    """`count` zeros of this code, to be filled in."""
    spill = workspace.spill()
    left = count * (8 if code == "Q" else 1)
    zeros = bytes(min(left, 256 * 1024))
    while left > 0:
        spill.append(zeros[:left])
        left -= len(zeros)
    return spill.numbers(code)
