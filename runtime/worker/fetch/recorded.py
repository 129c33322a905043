"""Which bytes of an archive something was concluded from, so that they can be fetched again before it counts.

A central directory has no checksum: when it, or an entry beside it, does not add up, either the archive is
wrong or an answer was damaged on the way. The same bytes twice, on another connection, are the archive's own.
"""

import hashlib
from dataclasses import dataclass

from runtime.worker.fetch.archive import ArchiveBytes
from runtime.worker.fetch.errors import BytesDiffer

_READ_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class _Read:
    offset: int
    length: int
    sha256: bytes


def _read(offset: int, data: bytes) -> _Read:
    return _Read(offset, len(data), hashlib.sha256(data).digest())


class RecordedReads:
    """An opened archive as the source of its directory. `tail` counts as read."""

    def __init__(self, archive: ArchiveBytes) -> None:
        self._archive = archive
        self._reads: list[_Read] = []
        self.size = archive.size
        self.tail = archive.tail or b""

    def read_at(self, offset: int, length: int) -> bytes:
        """Exactly these bytes. Raises as the archive does."""
        data = self._archive.read_at(offset, length)
        self._reads.append(_read(offset, data))
        return data

    def confirm(self, start: int = 0) -> None:
        """Fetch all of it again, of the tail only what lies behind `start`.

        Raises BytesDiffer when it is not the same, and as the archive does.
        """
        tail_start = self.size - len(self.tail)
        kept = self.tail[max(0, start - tail_start) :]
        for read in [*self._reads, _read(self.size - len(kept), kept)]:
            if read.length and self._digest_anew(read) != read.sha256:
                raise BytesDiffer(
                    f"bytes {read.offset}-{read.offset + read.length - 1} came differently the second time"
                )

    def _digest_anew(self, read: _Read) -> bytes:
        digest = hashlib.sha256()
        buffer = memoryview(bytearray(min(read.length, _READ_BYTES)))
        stream = self._archive.stream_anew(read.offset, read.offset + read.length)
        try:
            left = read.length
            while left:
                piece = buffer[: min(left, len(buffer))]
                stream.read_exactly(piece)
                digest.update(piece)
                left -= len(piece)
        finally:
            stream.close()
        return digest.digest()
