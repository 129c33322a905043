"""The archive's last bytes, read once: most end records and small directories are within them."""

from runtime.worker.archive.limits import ByteSource
from runtime.worker.archive.records import END

TAIL_BYTES = END.size + 0xFFFF


class TailReader:
    """Reads of the archive, served from the bytes of its tail where they cover the request."""

    def __init__(self, source: ByteSource, tail: bytes | None) -> None:
        self.size = source.size
        self.asked = 0
        """How often the source had to be asked for more."""
        self._source = source
        if tail is None:
            wanted = min(self.size, TAIL_BYTES)
            tail = source.read_at(self.size - wanted, wanted)
        self._tail = tail
        self._tail_start = self.size - len(tail)

    def read(self, offset: int, length: int) -> bytes:
        """These bytes, or as many as there are."""
        length = max(0, min(length, self.size - offset))
        if offset < self._tail_start:
            self.asked += 1
            return self._source.read_at(offset, length)
        return self._tail[offset - self._tail_start : offset - self._tail_start + length]
