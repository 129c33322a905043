"""How many bytes one archive's transfer holds at once: the arithmetic on which the memory promise stands.

A lane holds a part that is being filled and a part in flight; whoever reads small entries holds a block of
the archive and what it inflates to. All of an archive's buffers, and its entries' own bookkeeping, are within
one grant of the process's budget.
"""

from dataclasses import dataclass

from runtime.worker.settings import MIB
from runtime.worker.transfer.multipart import part_size

BLOCK_RAW_BYTES = 512 * 1024
BLOCK_OUTPUT_BYTES = 2 * 1024 * 1024
_GENEROUS_PART_BYTES = 16 * MIB
_BOOKKEEPING_BYTES = 1_024  # an entry's directory record and what is planned for it
_MOST_BOOKKEEPING_BYTES = 1_536 * 1024  # more lies on the scratch disk


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """What an archive asks of the budget, and how it divides what it gets."""

    largest: int
    bookkeeping: int

    @property
    def least(self) -> int:
        """Bytes without which the archive cannot be worked on."""
        return grant_bytes(min(part_size(self.largest), self.largest)) + self.bookkeeping

    @property
    def generous(self) -> int:
        """Bytes with which it is as fast as it can be."""
        part = max(part_size(self.largest), _GENEROUS_PART_BYTES)
        return grant_bytes(min(part, self.largest)) + self.bookkeeping

    def shares(self, granted: int) -> tuple[int, int]:
        """Bytes of a part, and bytes that may be in flight, out of a grant.

        For example, one entry of 100 MiB: `least` is two parts of 8 MiB and a block of 0.5 MiB, 16.5 MiB and
        the bookkeeping. Granted just that, a part is 8 MiB and 8 MiB may be in flight: the part being filled,
        the part being sent and the block being read are the whole grant.
        """
        buffers = granted - self.bookkeeping - BLOCK_RAW_BYTES
        part = max(part_size(self.largest), min(_GENEROUS_PART_BYTES, buffers // 2 // MIB * MIB))
        return part, buffers - min(part, self.largest)


def memory_need(largest: int, *, results: int) -> MemoryNeed:
    """The need of an archive whose largest wanted entry has `largest` bytes and whose plan has `results`."""
    return MemoryNeed(largest, min(results * _BOOKKEEPING_BYTES, _MOST_BOOKKEEPING_BYTES))


def grant_bytes(part: int) -> int:
    """What parts of this length take: one being filled, one in flight, and a block being read."""
    return 2 * max(part, BLOCK_RAW_BYTES + BLOCK_OUTPUT_BYTES) + BLOCK_RAW_BYTES
