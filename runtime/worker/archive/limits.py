"""How much an archive may ask for, what its names may be, and the bytes it is read from."""

from dataclasses import dataclass
from typing import Protocol

from runtime.shared.buffer import Buffer
from runtime.shared.sizes import MIB

__all__ = ["Buffer", "ByteSource", "Limits"]


class ByteSource(Protocol):
    """The archive's bytes: ranged HTTP reads, a spooled file, or memory."""

    @property
    def size(self) -> int:
        """Length of the archive in bytes."""
        ...

    def read_at(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`, or an exception of the source's own."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Everything an archive announces is held against these before memory is set aside for it."""

    max_entries: int = 1_000_000
    max_directory_bytes: int = 256 * MIB
    max_entry_bytes: int = 5 * 1024**4  # the largest S3 object
    # Exports compress 2 to 50 times, the most repetitive tables some hundred times. Bombs go to deflate's own
    # end, 1,032, and far beyond it with the other methods.
    max_ratio: float = 500
    # An S3 key has 1,024 bytes; "exports/", a job id of 256 and "/" come off it.
    max_name_bytes: int = 759
    max_depth: int = 64
    # How names that neither say nor show themselves to be UTF-8 are read; APPNOTE D.1 says code page 437.
    code_page: str = "cp437"
    # Whether a name has to come in its normal form, or is brought into it: see `names.normal`.
    normal_names_only: bool = False

    # Below this a ratio says nothing: 64 KiB of blanks are no bomb, and compress 500 times.
    ratio_floor_bytes: int = 64 * 1024

    def excess(self, size: int, compressed_size: int) -> str | None:
        """The limit that an entry of these sizes exceeds, in words, or None."""
        if size > self.max_entry_bytes:
            return f"{size} bytes, over the limit of {self.max_entry_bytes}"
        if size > self.ratio_floor_bytes and size > self.max_ratio * compressed_size:
            return f"{size} bytes out of {compressed_size}, over the ratio of {self.max_ratio:g}"
        return None
