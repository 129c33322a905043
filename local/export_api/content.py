"""File contents that are a function of a seed: any range of any size, without holding the whole.

A content is one line of its own, then 1 MiB blocks taken in turn from a small family of text blocks,
starting at a place of its own. Two files differ, and so do two neighbouring blocks of one file, which is
what makes a byte that ended up in the wrong place visible.
"""

import hashlib
import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

BLOCK = 1 << 20
_FAMILY = 7
_DIGEST_CACHE = 4_096


@lru_cache(maxsize=1)
def _family() -> tuple[bytes, ...]:
    """Seven blocks of JSON lines that deflate to a bit less than half."""
    rng = random.Random("blocks")
    words = [rng.randbytes(rng.randint(2, 5)).hex() for _ in range(2_000)]
    blocks = []
    for _ in range(_FAMILY):
        lines: list[bytes] = []
        length = 0
        while length < BLOCK:
            line = (
                f'{{"id":"{rng.getrandbits(64):016x}","name":"{rng.choice(words)} {rng.choice(words)}",'
                f'"amount":{rng.random() * 1000:.6f},"note":"{" ".join(rng.choices(words, k=6))}"}}\n'
            ).encode()
            lines.append(line)
            length += len(line)
        blocks.append(b"".join(lines)[:BLOCK])
    return tuple(blocks)


@lru_cache(maxsize=_FAMILY)
def _deflated_block(index: int) -> bytes:
    """A block as a piece of a deflate stream: a full flush ends on a byte and forgets what came before."""
    compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
    return compressor.compress(_family()[index]) + compressor.flush(zlib.Z_FULL_FLUSH)


@dataclass(frozen=True)
class Content:
    """`size` bytes that only `key` decides."""

    key: str
    size: int

    def _head(self) -> bytes:
        return f"{hashlib.sha256(self.key.encode()).hexdigest()} {self.key}\n".encode()[: self.size]

    def _start(self) -> int:
        return zlib.crc32(self.key.encode()) % _FAMILY

    def pieces(self) -> Iterator[bytes]:
        """The content from its first byte to its last, at most 1 MiB at a time."""
        head = self._head()
        if head:
            yield head
        left, index = self.size - len(head), self._start()
        while left > 0:
            yield _family()[index][:left]
            left -= BLOCK
            index = (index + 1) % _FAMILY

    def read(self, offset: int, length: int) -> bytes:
        """Exactly the bytes [offset, offset + length) of the content, cut at its end."""
        end = min(offset + length, self.size)
        head = self._head()
        parts = [head[offset:end]] if offset < len(head) else []
        position = max(offset, len(head))
        while position < end:
            number, within = divmod(position - len(head), BLOCK)
            take = min(BLOCK - within, end - position)
            parts.append(_family()[(self._start() + number) % _FAMILY][within : within + take])
            position += take
        return b"".join(parts)

    def crc32(self) -> int:
        return _digests(self)[0]

    def sha256(self) -> str:
        return _digests(self)[1]

    def deflated(self) -> list[bytes]:
        """The content as a raw deflate stream, in pieces. Whole blocks are shared between all contents."""
        head = self._head()
        body = self.size - len(head)
        if body < BLOCK:
            # Small files get the stream that an ordinary ZIP writer would give them.
            return [_finished(b"".join(self.pieces()))]
        compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
        first = compressor.compress(head) + compressor.flush(zlib.Z_FULL_FLUSH)
        whole, rest = divmod(body, BLOCK)
        indexes = [(self._start() + number) % _FAMILY for number in range(whole + 1)]
        return [
            first,
            *(_deflated_block(index) for index in indexes[:-1]),
            _finished(_family()[indexes[-1]][:rest]),
        ]


def _finished(data: bytes) -> bytes:
    # Level 1: thousands of small files are laid out before the server answers its first request.
    compressor = zlib.compressobj(1, zlib.DEFLATED, -15)
    return compressor.compress(data) + compressor.flush()


@lru_cache(maxsize=_DIGEST_CACHE)
def _digests(content: Content) -> tuple[int, str]:
    crc, sha = 0, hashlib.sha256()
    for piece in content.pieces():
        crc = zlib.crc32(piece, crc)
        sha.update(piece)
    return crc, sha.hexdigest()
