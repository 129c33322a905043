"""Where the directory lies that an end record speaks of, and what its offsets count from.

By the specification it begins at the stated offset and ends where the end records begin. Where the two
places differ, the archive is read only if a directory is found at just one of them.
"""

from dataclasses import dataclass

from runtime.worker.archive.errors import invalid
from runtime.worker.archive.records import (
    CENTRAL,
    CENTRAL_SIGNATURE,
    FULL32,
    LOCAL,
    LOCAL_SIGNATURE,
)
from runtime.worker.archive.tail import TailReader

_WRAP = 1 << 32


@dataclass(frozen=True, kw_only=True)
class Placed:
    """The directory is the bytes [offset, offset + size) of the file."""

    offset: int
    size: int
    base: int = 0
    """Added to the local headers' offsets: bytes before the archive that they do not count."""
    slack: bool = False
    """The directory may end before its bytes do."""
    modulo: bool = False
    """Offsets are modulo 4 GiB, as macOS's Archive Utility writes them."""
    notes: tuple[str, ...] = ()


def place(tail_reader: TailReader, end: int, offset: int, size: int, *, empty: bool, narrow: bool) -> Placed:
    """`end`: where the end records begin; `narrow`: their numbers have 32 bits. Raises ArchiveRejected."""
    gap = end - (offset + size)
    if gap == 0:
        return Placed(offset=offset, size=size)
    if empty and size == 0 and gap > 0:
        note = f"the archive is empty, and {end} bytes stand before it"
        return Placed(offset=end, size=0, base=end, notes=(note,))
    stated = offset < end and tail_reader.read(offset, 4) == CENTRAL_SIGNATURE
    adjacent = gap > 0 and size > 0 and tail_reader.read(end - size, 4) == CENTRAL_SIGNATURE
    if stated and adjacent:
        raise invalid(
            f"a directory stands where the end record says, at byte {offset}, another right before it, at "
            f"byte {end - size}: no telling which counts"
        )
    if stated:
        note = f"the directory's {end - offset} bytes are announced as {size}"
        return Placed(offset=offset, size=end - offset, slack=True, notes=(note,))
    if not adjacent:
        raise invalid(
            f"no directory at byte {offset}, where the end record says, nor in the {size} bytes before it"
        )
    if narrow and gap % _WRAP == 0:
        note = f"offsets are modulo 4 GiB: the directory stands at byte {end - size}, {offset} is stated"
        return Placed(offset=end - size, size=size, modulo=True, notes=(note,))
    base, note = _base(tail_reader, end - size, gap)
    return Placed(offset=end - size, size=size, base=base, notes=(note,))


def _base(tail_reader: TailReader, directory: int, gap: int) -> tuple[int, str]:
    """The position that the local headers' offsets count from, found by looking where the first one is."""
    record = tail_reader.read(directory, CENTRAL.size)
    first, length = CENTRAL.unpack(record)[-1], CENTRAL.unpack(record)[10]
    if first == FULL32:
        raise invalid(f"{gap} bytes stand before the archive, and its offsets ignore them")
    name = tail_reader.read(directory + CENTRAL.size, length)
    shifted = _is_local_header(tail_reader, first + gap, name)
    plain = _is_local_header(tail_reader, first, name)
    if shifted and plain and first == 0:
        plain = False  # the file begins as a ZIP of its own: `ending` refuses it as two, or as cut off
    if shifted == plain:
        raise invalid(
            f"the directory stands {gap} bytes behind its stated offset, and the first entry "
            + ("may be at either of two places" if shifted else "is at neither of two places")
        )
    if shifted:
        return gap, f"{gap} bytes stand before the archive, and its offsets do not count them"
    return 0, f"the directory stands {gap} bytes behind its stated offset"


def _is_local_header(tail_reader: TailReader, at: int, name: bytes) -> bool:
    header = tail_reader.read(at, LOCAL.size + len(name))
    return header.startswith(LOCAL_SIGNATURE) and header[LOCAL.size :] == name
