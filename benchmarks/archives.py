"""The benchmark's archives, made deterministically under .local/bench: the same bytes for every program.

The payload is JSON lines that deflate about 2.1 to 1. A block of it is made once and each archive is put
together from deflated pieces of that block, because compressing gigabytes would take longer than the
benchmark. Pieces end on byte boundaries with an empty window, so an entry made of several is an ordinary
deflate stream. Deflate's window is 32 KiB and no program looks for repeated entries: repeating a piece
makes nothing faster.
"""

import base64
import binascii
import functools
import hashlib
import itertools
import json
import random
import struct
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

# A new number makes everybody's cached archives anew.
FORMAT = 1
BLOCK_BYTES = 32 << 20
PIECE_BYTES = 8 << 20
DEFLATE_END = b"\x03\x00"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file of an archive. `payload_offset` is where its deflated bytes begin in the archive."""

    path: str
    size: int
    crc32: int
    sha256: str
    payload_offset: int
    compressed_size: int
    wanted: bool


@dataclass(frozen=True)
class Archive:
    """An archive on disk and what is in it; only entries that are wanted have metadata."""

    shape: str
    file: Path
    entries: tuple[Entry, ...]

    @property
    def wanted(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.wanted]

    @property
    def wanted_bytes(self) -> int:
        return sum(entry.size for entry in self.wanted)

    @property
    def wanted_compressed_bytes(self) -> int:
        return sum(entry.compressed_size for entry in self.wanted)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How an archive is made at full scale: `entries` of `entry_bytes`, every `wanted_every`-th wanted.

    A slow shape has `lanes`: so many downloads of it at once, each offered at `bytes_per_s`.
    """

    name: str
    entries: int
    entry_bytes: int
    wanted_every: int = 1
    lanes: int = 0
    bytes_per_s: int = 0


SHAPES = {
    shape.name: shape
    for shape in (
        Shape(name="large", entries=4, entry_bytes=256 << 20),
        Shape(name="small", entries=100_000, entry_bytes=10_000),
        Shape(name="sparse", entries=2_000, entry_bytes=1 << 20, wanted_every=10),
        Shape(name="slow500", entries=2, entry_bytes=32 << 20, lanes=500, bytes_per_s=250_000),
        Shape(name="slow1000", entries=2, entry_bytes=12 << 20, lanes=1_000, bytes_per_s=100_000),
    )
}


def prepare(shape: Shape, scale: float, directory: Path) -> Archive:
    """The archive of this shape, from the cache in `directory` or made now.

    The scale divides the number of entries, or their size where there are only a few.
    """
    entries, entry_bytes = shape.entries, shape.entry_bytes
    if entries >= 20:
        entries = max(20, round(entries * scale))
    else:
        entry_bytes = max(65_536, round(entry_bytes * scale))
    identity = f"{FORMAT}-{entries}x{entry_bytes}-every{shape.wanted_every}"
    file = directory / f"{shape.name}-{identity}.zip"
    index = file.with_suffix(".json")
    if not index.exists():
        directory.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".partial")
        with partial.open("wb") as out:
            made = list(_write(out, shape, entries, entry_bytes))
        partial.replace(file)
        # The index comes last: where it exists, the archive beside it is whole.
        index.write_text(json.dumps([asdict(entry) for entry in made]))
    return Archive(shape.name, file, tuple(Entry(**row) for row in json.loads(index.read_text())))


def load(file: Path) -> list[Entry]:
    """The entries of an archive that `prepare` made."""
    return [Entry(**row) for row in json.loads(file.with_suffix(".json").read_text())]


def _write(out: BinaryIO, shape: Shape, entries: int, entry_bytes: int) -> Iterator[Entry]:
    """Write a ZIP (with ZIP64 end records) and say what is in it."""
    directory = []
    pieces = _Pieces(entry_bytes)
    for number in range(entries):
        path = f"{shape.name}/{number // 1000:03d}/records-{number:06d}.jsonl"
        name = path.encode()
        crc, digest, payload = pieces.entry(number)
        compressed = sum(map(len, payload))
        header_offset = out.tell()
        fields = (20, 0x0800, 8, 0, 0x5C21, crc, compressed, entry_bytes, len(name), 0)
        out.write(struct.pack("<4s5H3L2H", b"PK\3\4", *fields) + name)
        payload_offset = out.tell()
        out.writelines(payload)
        tail = (0, 0, 0, 0o100644 << 16, header_offset)
        directory.append(struct.pack("<4sH5H3L2H3H2L", b"PK\1\2", 0x0314, *fields, *tail) + name)
        wanted = number % shape.wanted_every == 0
        yield Entry(
            path=path,
            size=entry_bytes,
            crc32=crc,
            sha256=digest,
            payload_offset=payload_offset,
            compressed_size=compressed,
            wanted=wanted,
        )
    start = out.tell()
    out.writelines(directory)
    end = out.tell()
    count, length = len(directory), end - start
    out.write(struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, length, start))
    out.write(struct.pack("<4sLQL", b"PK\6\7", 0, end, 1))
    short = min(count, 0xFFFF)
    out.write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, short, short, length, start, 0))


class _Pieces:
    """Deflated content for entries of one size."""

    def __init__(self, entry_bytes: int) -> None:
        self._entry_bytes = entry_bytes
        block = _block()
        length = min(entry_bytes, PIECE_BYTES)
        self._plain = [block[at : at + length] for at in range(0, len(block) - length + 1, length)]
        self._made: dict[int, tuple[int, str, list[bytes]]] = {}

    def entry(self, number: int) -> tuple[int, str, list[bytes]]:
        """CRC-32, SHA-256 and deflated pieces of the entry with this number."""
        first = number % len(self._plain)
        if first not in self._made:
            self._made[first] = self._make(first)
        return self._made[first]

    def _make(self, first: int) -> tuple[int, str, list[bytes]]:
        crc, digest, payload, left = 0, hashlib.sha256(), [], self._entry_bytes
        for at in itertools.count(first):
            plain = self._plain[at % len(self._plain)]
            if left < len(plain):
                plain = plain[:left]
            crc = binascii.crc32(plain, crc)
            digest.update(plain)
            payload.append(_deflate(plain))
            left -= len(plain)
            if not left:
                return crc, digest.hexdigest(), [*payload, DEFLATE_END]
        raise AssertionError


@functools.lru_cache(maxsize=8)
def _deflate(plain: bytes) -> bytes:
    compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
    return compressor.compress(plain) + compressor.flush(zlib.Z_FULL_FLUSH)


@functools.cache
def _block() -> bytes:
    """JSON lines as exports hold them: words that recur among identifiers and amounts that do not."""
    rng = random.Random(20261101)
    words = ("settled", "pending", "refunded", "disputed", "transfer", "invoice", "retail", "wholesale")
    lines, size = [], 0
    while size < BLOCK_BYTES:
        day, hour, minute = rng.randrange(1, 31), rng.randrange(24), rng.randrange(60)
        line = (
            f'{{"id":"{rng.getrandbits(128):032x}","account":{rng.getrandbits(40)},"amount":'
            f'{rng.getrandbits(24) / 100:.2f},"status":"{rng.choice(words)}","channel":"{rng.choice(words)}",'
            f'"reference":"{base64.b64encode(rng.randbytes(60)).decode()}",'
            f'"at":"2026-10-{day:02d}T{hour:02d}:{minute:02d}:{rng.randrange(60):02d}Z"}}\n'
        )
        lines.append(line)
        size += len(line)
    return "".join(lines).encode()[:BLOCK_BYTES]
