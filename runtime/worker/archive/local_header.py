"""The local header, which must repeat what the directory said of the entry (APPNOTE 4.3.7).

Two tools that trust different headers would otherwise extract different files from one archive.
"""

from runtime.shared.contracts import EntryOutcome
from runtime.worker.archive.entry import Entry
from runtime.worker.archive.errors import ArchiveRejected, EntryRejected
from runtime.worker.archive.limits import Buffer
from runtime.worker.archive.methods import method_name
from runtime.worker.archive.records import (
    FLAG_DESCRIPTOR,
    FLAG_ENCRYPTED,
    FLAG_MASKED_HEADERS,
    FLAG_PATCHED,
    FLAG_STRONG_ENCRYPTION,
    FLAG_UTF8,
    FULL32,
    LOCAL,
    LOCAL_SIGNATURE,
    zip64_fields,
)

# Bits 1 and 2 are hints on deflate's effort, the rest is unused: writers fill them in one place only.
_FLAGS_THAT_MATTER = (
    FLAG_ENCRYPTED | FLAG_DESCRIPTOR | FLAG_PATCHED | FLAG_STRONG_ENCRYPTION | FLAG_UTF8 | FLAG_MASKED_HEADERS
)


def header_length(fixed: Buffer) -> int:
    """Bytes from the header's start to the entry's data, from its first 30 bytes. Raises EntryRejected."""
    signature, *_rest, name_length, extra_length = LOCAL.unpack_from(fixed)
    if signature != LOCAL_SIGNATURE:
        raise _mismatch("no local header where the directory says there is one")
    return LOCAL.size + int(name_length) + int(extra_length)


def check_local_header(entry: Entry, header: Buffer) -> None:
    """`header`: exactly `header_length` bytes. Raises EntryRejected."""
    _signature, _needed, flags, method, _time, _date, crc, compressed_size, size, name_length, _extra = (
        LOCAL.unpack_from(header)
    )
    raw_name = bytes(header[LOCAL.size : LOCAL.size + name_length])
    if raw_name != entry.raw_name:
        raise _mismatch(f"the local header names {raw_name[:200]!r}")
    if method != entry.method:
        raise _mismatch(f"{method_name(entry.method)}, {method_name(method)} in the local header")
    if (flags ^ entry.flags) & _FLAGS_THAT_MATTER:
        raise _mismatch(f"flags 0x{entry.flags:04x}, 0x{flags:04x} in the local header")
    if FULL32 in (compressed_size, size):
        try:
            size, compressed_size, *_ = zip64_fields(
                header[LOCAL.size + name_length :], size, compressed_size
            )
        except ArchiveRejected as fault:
            raise _mismatch(f"in the local header {fault.text}") from fault
    for what, local, stated in (
        ("CRC-32", crc, entry.crc32),
        ("compressed size", compressed_size, entry.compressed_size),
        ("size", size, entry.size),
    ):
        # 4.4.4 bit 3: a streaming writer leaves these at zero, and the data descriptor has them.
        if local != stated and not (entry.has_descriptor and local == 0):
            raise _mismatch(f"{what} {stated}, {local} in the local header")


def _mismatch(text: str) -> EntryRejected:
    return EntryRejected(EntryOutcome.HEADER_MISMATCH, text)
