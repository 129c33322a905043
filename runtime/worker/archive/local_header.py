"""The local header, which must repeat what the directory said of the entry (APPNOTE 4.3.7).

Two tools that trust different headers would otherwise extract different files from one archive.
"""

import struct

from runtime.shared.contracts import EntryOutcome
from runtime.worker.archive.entry import Entry, decode_name
from runtime.worker.archive.errors import BadExtraField, EntryRejected
from runtime.worker.archive.limits import Buffer, Limits
from runtime.worker.archive.methods import method_name
from runtime.worker.archive.records import (
    EXTRA_ZIP64,
    FLAG_DESCRIPTOR,
    FLAG_ENCRYPTED,
    FLAG_MASKED_HEADERS,
    FLAG_PATCHED,
    FLAG_STRONG_ENCRYPTION,
    FLAG_UTF8,
    FULL32,
    FULL64,
    LOCAL,
    LOCAL_SIGNATURE,
    the_extra,
    zip64_fields,
)

# Bits 1 and 2 are hints on deflate's effort, bit 11 says how the name is read, and it is the name that is
# compared; the rest is unused. Bit 3 belongs to the local header: whether a data descriptor follows.
_FLAGS_THAT_MATTER = FLAG_ENCRYPTED | FLAG_PATCHED | FLAG_STRONG_ENCRYPTION | FLAG_MASKED_HEADERS

# How writers that stream say "not known yet": 4.4.4 says zero, some .NET libraries write -1.
_UNKNOWN = frozenset({0, FULL32, FULL64})


def header_length(fixed: Buffer) -> int:
    """Bytes from the header's start to the entry's data, from its first 30 bytes. Raises EntryRejected."""
    signature, *_rest, name_length, extra_length = LOCAL.unpack_from(fixed)
    if signature != LOCAL_SIGNATURE:
        raise _mismatch("no local header where the directory says there is one")
    return LOCAL.size + int(name_length) + int(extra_length)


def check_local_header(entry: Entry, header: Buffer, limits: Limits) -> bool:
    """Whether a data descriptor is still to say what the header leaves open. Raises EntryRejected.

    `header`: exactly `header_length` bytes.
    """
    _signature, _needed, flags, method, _time, _date, crc, compressed_size, size, name_length, _extra = (
        LOCAL.unpack_from(header)
    )
    raw_name = bytes(header[LOCAL.size : LOCAL.size + name_length])
    extra = bytes(header[LOCAL.size + name_length :])
    if raw_name != entry.raw_name or (flags ^ entry.flags) & FLAG_UTF8:
        _check_name(entry, raw_name, flags, extra, limits)
    if method != entry.method:
        raise _mismatch(f"{method_name(entry.method)}, {method_name(method)} in the local header")
    if (flags ^ entry.flags) & _FLAGS_THAT_MATTER:
        raise _mismatch(f"flags 0x{entry.flags:04x}, 0x{flags:04x} in the local header")
    streamed = bool(flags & FLAG_DESCRIPTOR)
    if FULL32 in (compressed_size, size):
        size, compressed_size = _wide_sizes(extra, size, compressed_size, streamed=streamed)
    left_open = False
    for what, local, stated in (
        ("CRC-32", crc, entry.crc32),
        ("compressed size", compressed_size, entry.compressed_size),
        ("size", size, entry.size),
    ):
        if local == stated:
            continue
        if not (streamed and local in _UNKNOWN):
            raise _mismatch(f"{what} {stated}, {local} in the local header")
        left_open = True
    # Where the header has all values, bit 3 changes nothing, and some writers set it and write no descriptor.
    return left_open


def _check_name(entry: Entry, raw_name: bytes, flags: int, extra: bytes, limits: Limits) -> None:
    """Two ways to write one name are one name: separators, "./", the code page, the Unicode extra field."""
    try:
        same = decode_name(raw_name, flags, extra, limits) == entry.name
    except BadExtraField:
        same = False
    if not same:
        raise _mismatch(f"the local header names {raw_name[:200]!r}")


def _wide_sizes(extra: bytes, size: int, compressed_size: int, *, streamed: bool) -> tuple[int, int]:
    """Size and compressed size out of the ZIP64 extra field. In a local header it has both, 4.5.3."""
    try:
        data = the_extra(extra, EXTRA_ZIP64)
        if data is not None and len(data) >= 16 and (size, compressed_size) != (FULL32, FULL32):
            both = struct.unpack_from("<2Q", data)
            return (
                both[0] if size == FULL32 else size,
                both[1] if compressed_size == FULL32 else compressed_size,
            )
        wide = zip64_fields(extra, size, compressed_size)
    except BadExtraField as fault:
        if streamed:
            return size, compressed_size  # all ones, and nothing beside them: not known yet
        raise _mismatch(f"in the local header {fault}") from fault
    return wide.size, wide.compressed_size


def _mismatch(text: str) -> EntryRejected:
    return EntryRejected(EntryOutcome.HEADER_MISMATCH, text)
