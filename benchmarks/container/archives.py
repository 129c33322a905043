"""An archive of very many entries of which only the directory exists, in a file; the rest is computed."""

import struct
import zlib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmarks.planning_memory import NAME, PAYLOAD_BYTES, write_source

_PAYLOAD = (b"one line of an export's file, all files alike; " * 22)[:PAYLOAD_BYTES]
_WANTED = 8
_PIECE_BYTES = 1 << 20


class ManyEntries:
    """Of a million stored entries the metadata knows a few, spread over the whole; a server's `Archive`."""

    def __init__(self, folder: Path, entries: int) -> None:
        self._source = write_source(folder, entries, zlib.crc32(_PAYLOAD))
        self._entries = entries
        self._stride = 30 + len(_name(0)) + PAYLOAD_BYTES

    @property
    def size(self) -> int:
        return self._source.size

    @property
    def etag(self) -> str:
        return f'"entries-{self._entries}"'

    @property
    def wanted(self) -> list[dict[str, Any]]:
        """What the metadata has, as the sink's index says it."""
        digest, crc = sha256(_PAYLOAD).hexdigest(), zlib.crc32(_PAYLOAD)
        return [
            {
                "path": _name(number * (self._entries // _WANTED)),
                "size": PAYLOAD_BYTES,
                "crc32": crc,
                "sha256": digest,
                "wanted": True,
            }
            for number in range(_WANTED)
        ]

    def stream(self, offset: int, length: int) -> Iterator[bytes]:
        end, directory = min(offset + length, self.size), self._entries * self._stride
        while offset < end:
            if offset >= directory:
                piece = self._source.read_at(offset, min(end - offset, _PIECE_BYTES))
            else:
                number, within = divmod(offset, self._stride)
                piece = self._member(number)[within : within + end - offset]
            yield piece
            offset += len(piece)

    def _member(self, number: int) -> bytes:
        name = _name(number).encode()
        size = PAYLOAD_BYTES
        head = struct.pack(
            "<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 0x21, zlib.crc32(_PAYLOAD), size, size, len(name), 0
        )
        return head + name + _PAYLOAD


def _name(number: int) -> str:
    return NAME.format(number % 10_000, number)
