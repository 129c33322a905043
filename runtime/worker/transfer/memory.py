"""How many bytes one archive's transfer holds at once: the arithmetic on which the memory promise stands.

An archive is granted little, and for good: enough to progress, with one part sent to S3 as it comes. What
makes it faster (a part gathered in memory and sent by another thread, a second connection, blocks fetched
ahead) takes bytes of its own for as long as it lasts, and only while there are bytes to spare. So hundreds of
slow downloads hold little, and a few fast ones all they can use.
"""

from dataclasses import dataclass

from runtime.shared.sizes import MIB
from runtime.worker.transfer.multipart import MIN_PART_BYTES

BLOCK_RAW_BYTES = 512 * 1024
BLOCK_OUTPUT_BYTES = 2 * MIB
PART_BYTES = 8 * MIB
LEAST_BLOCK_RAW_BYTES = 64 * 1024
_STREAM_BYTES = 256 * 1024  # read buffer, decompressor with its output, frame
_BOOKKEEPING_BYTES = 1_024  # an entry's directory record and what is planned for it
_MOST_BOOKKEEPING_BYTES = 1_536 * 1024  # more lies on the scratch disk
_MOST_PARTS = 10_000
LEAST_GRANT_BYTES = BLOCK_RAW_BYTES


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """An archive's claim on the budget."""

    lane: int
    """Bytes that each connection's thread holds."""
    total: int
    """Bytes without which the archive cannot be worked on: one lane, and the entries' bookkeeping."""


def memory_need(*, small: bool, results: int) -> MemoryNeed:
    """The need of an archive whose plan has `results`, with or without `small` entries among the wanted.

    For example, one with large entries only: 256 KiB to read, inflate and send, beside 1 KiB for each of its
    entries. One with small entries: 512 KiB, the longest block of them there is; a slow one's are a quarter.
    """
    lane = BLOCK_RAW_BYTES if small else _STREAM_BYTES
    return MemoryNeed(lane, lane + min(results * _BOOKKEEPING_BYTES, _MOST_BOOKKEEPING_BYTES))


def part_size(size: int) -> int:
    """Bytes per part for an object of `size`: at least S3's minimum, never more than 10,000 parts."""
    least = -(-size // (_MOST_PARTS - 1))
    return max(PART_BYTES, MIN_PART_BYTES, -(-least // MIB) * MIB)
