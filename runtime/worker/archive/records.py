"""The ZIP records that are read, one parser each, cited by section of PKWARE's APPNOTE.TXT 6.3.10.

The parsers check a record's own shape only; whether records agree with each other is decided where they meet
(`ending`, `directory`, `local`). https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple
from zlib import crc32

from runtime.worker.archive.errors import BadExtraField
from runtime.worker.archive.limits import Buffer

LOCAL_SIGNATURE = b"PK\x03\x04"
CENTRAL_SIGNATURE = b"PK\x01\x02"
END_SIGNATURE = b"PK\x05\x06"
END64_SIGNATURE = b"PK\x06\x06"
LOCATOR64_SIGNATURE = b"PK\x06\x07"
DESCRIPTOR_SIGNATURE = b"PK\x07\x08"
DIGITAL_SIGNATURE = b"PK\x05\x05"
ENCRYPTED_DIRECTORY_SIGNATURE = b"PK\x06\x08"  # 4.3.11: the archive extra data record

# 7.3: the version that an encrypted directory needs.
VERSION_ENCRYPTED_DIRECTORY = 62

# 4.4.8, 4.4.9, 4.4.16: a field with all bits set says that the value is in the ZIP64 extra field.
FULL16 = 0xFFFF
FULL32 = 0xFFFFFFFF
FULL64 = 0xFFFFFFFFFFFFFFFF

# 4.4.4: general purpose bits.
FLAG_ENCRYPTED = 1 << 0
FLAG_DESCRIPTOR = 1 << 3
FLAG_PATCHED = 1 << 5
FLAG_STRONG_ENCRYPTION = 1 << 6
FLAG_UTF8 = 1 << 11
FLAG_MASKED_HEADERS = 1 << 13

EXTRA_ZIP64 = 0x0001
EXTRA_UNICODE_PATH = 0x7075
EXTRA_AES = 0x9901

# 4.3.16: signature, this disk, the directory's disk, entries here, entries, size, offset, comment length.
END = struct.Struct("<4s4H2LH")
# 4.3.15: signature, disk of the ZIP64 end record, its offset, number of disks.
LOCATOR64 = struct.Struct("<4sLQL")
# 4.3.14: signature, size of the rest, versions, this disk, the directory's disk, entries here, entries, size,
# offset.
END64 = struct.Struct("<4sQ2H2L4Q")
# 4.3.12: signature, version made by, version needed, flags, method, time, date, CRC-32, compressed size,
# size, lengths of name, extra and comment, disk, internal and external attributes, local header's offset.
CENTRAL = struct.Struct("<4s6H3L5H2L")
# 4.3.7: signature, version needed, flags, method, time, date, CRC-32, compressed size, size, lengths of name
# and extra.
LOCAL = struct.Struct("<4s5H3L2H")


class EndRecord(NamedTuple):
    """End of central directory record, 4.3.16."""

    disk: int
    directory_disk: int
    entries_here: int
    entries: int
    directory_size: int
    directory_offset: int
    comment_length: int


class Locator64(NamedTuple):
    """ZIP64 end of central directory locator, 4.3.15."""

    disk: int
    offset: int
    disks: int


class End64Record(NamedTuple):
    """ZIP64 end of central directory record, 4.3.14; `record_size` counts from its own signature."""

    record_size: int
    version_needed: int
    disk: int
    directory_disk: int
    entries_here: int
    entries: int
    directory_size: int
    directory_offset: int


class Zip64Fields(NamedTuple):
    """The fields of a central header once its ZIP64 extra field is taken in, 4.5.3."""

    size: int
    compressed_size: int
    local_offset: int
    disk: int


class Aes(NamedTuple):
    """WinZip AES extra field, APPNOTE appendix E; with `vendor_version` 2 (AE-2) no CRC-32 is kept."""

    vendor_version: int
    key_bits: int
    method: int


def parse_end(data: Buffer, at: int) -> EndRecord:
    """The end record at `at`; the caller found its signature and 22 bytes."""
    return EndRecord._make(END.unpack_from(data, at)[1:])


def parse_locator64(data: Buffer, at: int) -> Locator64 | None:
    """The locator that ends just where the end record begins, or None when there is none."""
    signature, disk, offset, disks = LOCATOR64.unpack_from(data, at)
    return Locator64(disk, offset, disks) if signature == LOCATOR64_SIGNATURE else None


def parse_end64(data: Buffer) -> End64Record | None:
    """The ZIP64 end record at the start of `data` (56 bytes), or None when it is something else."""
    signature, rest, _made, needed, *values = END64.unpack_from(data)
    return End64Record(rest + 12, needed, *values) if signature == END64_SIGNATURE else None


def extra_fields(extra: Buffer) -> Iterator[tuple[int, Buffer]]:
    """Header id and data of each extra field, 4.5.1.

    Alignment tools leave up to three bytes of padding at the end, and some leave a last field cut short;
    both end the list, as in Info-ZIP and zipfile.
    """
    at = 0
    while at + 4 <= len(extra):
        header, length = struct.unpack_from("<HH", extra, at)
        if at + 4 + length > len(extra):
            return
        yield header, extra[at + 4 : at + 4 + length]
        at += 4 + length


def the_extra(extra: Buffer, header: int) -> Buffer | None:
    """The one field with this id.

    Raises BadExtraField for a second, different one: readers differ on which counts.
    """
    found = [data for candidate, data in extra_fields(extra) if candidate == header]
    if len(found) > 1 and any(data != found[0] for data in found):
        raise BadExtraField(f"extra field 0x{header:04x} is given {len(found)} times for one entry")
    return found[0] if found else None


def zip64_fields(
    extra: Buffer, size: int, compressed_size: int, local_offset: int = 0, disk: int = 0
) -> Zip64Fields:
    """Replace the fields that are full by the ZIP64 extra's values, which come in this order, 4.5.3.

    Raises BadExtraField when the extra field is missing, doubled or too short for what it must hold.
    """
    data = the_extra(extra, EXTRA_ZIP64)
    values, at = [size, compressed_size, local_offset, disk], 0
    for position, (full, code) in enumerate(((FULL32, "<Q"), (FULL32, "<Q"), (FULL32, "<Q"), (FULL16, "<L"))):
        if values[position] != full:
            continue
        width = struct.calcsize(code)
        if data is None or at + width > len(data):
            raise BadExtraField("a field refers to the ZIP64 extra field, which is missing or too short")
        (values[position],) = struct.unpack_from(code, data, at)
        at += width
    return Zip64Fields._make(values)


def unicode_path(extra: Buffer, raw_name: bytes) -> bytes | None:
    """The UTF-8 name of Info-ZIP's extra field 0x7075, 4.6.9; None when absent or out of date.

    It is out of date when its CRC-32 is not that of the header's name: a tool that does not know the field
    has renamed the entry. The specification says to ignore it then.
    """
    data = the_extra(extra, EXTRA_UNICODE_PATH)
    if data is None or len(data) < 5:
        return None
    version, checksum = struct.unpack_from("<BL", data)
    return bytes(data[5:]) if version == 1 and checksum == crc32(raw_name) else None


def aes(extra: Buffer) -> Aes | None:
    """WinZip's AES field, or None when absent or of an unknown shape."""
    data = next((data for header, data in extra_fields(extra) if header == EXTRA_AES), b"")
    if len(data) != 7:
        return None
    version, vendor, strength, method = struct.unpack("<H2sBH", data)
    if vendor != b"AE" or strength not in (1, 2, 3):
        return None
    return Aes(version, 64 + 64 * strength, method)


def descriptors(crc: int, compressed_size: int, size: int) -> tuple[bytes, ...]:
    """Every form in which a data descriptor may state these values, 4.3.9.

    The signature is optional (4.3.9.3), and nothing inside the record says whether its sizes have 4 or 8
    bytes (4.3.9.2). The values are known from the directory, so the record is compared and not guessed at.
    """
    forms = []
    if compressed_size <= FULL32 and size <= FULL32:
        forms.append(struct.pack("<3L", crc, compressed_size, size))
    forms.append(struct.pack("<L2Q", crc, compressed_size, size))
    return tuple(prefix + form for prefix in (DESCRIPTOR_SIGNATURE, b"") for form in forms)
