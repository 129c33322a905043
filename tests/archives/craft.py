"""A ZIP writer that writes what it is told, right or wrong, byte for byte the same on every machine.

`File` and `archive` fill in what a correct archive would hold; a case that breaks a rule overrides one field.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from zlib import crc32

UNIX, WINDOWS = 3, 0
REGULAR, FOLDER, SYMLINK, DEVICE, PIPE = 0o100644, 0o040755, 0o120777, 0o020644, 0o010600
DESCRIPTOR, UTF8 = 1 << 3, 1 << 11


@dataclass
class File:
    """One entry. `central` and `local` override single fields of their headers by name."""

    name: str | bytes
    data: bytes = b""
    method: int = 0
    packed: bytes | None = None
    flags: int = 0
    mode: int = REGULAR
    system: int = UNIX
    extra: bytes = b""  # of the directory
    local_extra: bytes = b""
    comment: bytes = b""
    descriptor: bytes | None = None  # behind the data; sets bit 3 and leaves the local fields at zero
    before: bytes = b""  # stands in front of the local header
    central: Mapping[str, int | bytes] = field(default_factory=dict)
    local: Mapping[str, int | bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        raw = self.name if isinstance(self.name, bytes) else self.name.encode()
        if isinstance(self.name, str) and not self.name.isascii():
            self.flags |= UTF8
        if self.descriptor is not None:
            self.flags |= DESCRIPTOR
        body = self.data if self.packed is None else self.packed
        self.fields: dict[str, int | bytes] = {
            "name": raw,
            "flags": self.flags,
            "method": self.method,
            "crc": crc32(self.data),
            "packed": len(body),
            "size": len(self.data),
        }
        self.body = body

    def local_header(self) -> bytes:
        streamed = {"crc": 0, "packed": 0, "size": 0} if self.descriptor is not None else {}
        f = {"signature": b"PK\3\4", **self.fields, **streamed, **self.local}
        return _local(f, self.local_extra)

    def central_header(self, offset: int) -> bytes:
        f = {"signature": b"PK\1\2", "offset": offset, "disk": 0, **self.fields, **self.central}
        name = f["name"]
        assert isinstance(name, bytes)
        return (
            struct.pack(
                "<4s6H3L5H2L",
                f["signature"], 20 | self.system << 8, 20, f["flags"], f["method"], 0, 0x21,
                f["crc"], f["packed"], f["size"],
                len(name), len(self.extra), len(self.comment), f["disk"], 0, self.mode << 16, f["offset"],
            )
            + name + self.extra + self.comment
        )  # fmt: skip


def _local(f: Mapping[str, int | bytes], extra: bytes) -> bytes:
    name = f["name"]
    assert isinstance(name, bytes)
    return (
        struct.pack(
            "<4s5H3L2H",
            f["signature"], 20, f["flags"], f["method"], 0, 0x21,
            f["crc"], f["packed"], f["size"], len(name), len(extra),
        )
        + name + extra
    )  # fmt: skip


def archive(
    *files: File,
    lead: bytes = b"",
    gap: bytes = b"",
    comment: bytes = b"",
    after: bytes = b"",
    before_directory: bytes = b"",
    directory: bytes = b"",
    zip64_data: bytes = b"",
    order: Iterable[int] | None = None,
    zip64: bool = False,
    **end: int,
) -> bytes:
    """The files one after the other, their directory (in `order`), the end records.

    `lead` stands before the archive and offsets count it, `gap` before the end records, `after` behind them,
    `before_directory` and `directory` before and at the end of the directory,
    `zip64_data` at the end of the ZIP64 end record.
    `end` overrides fields of the end record, and with a name ending in 64 those of the ZIP64 records.
    """
    out = bytearray(lead)
    headers = []
    for file in files:
        out += file.before
        headers.append(file.central_header(len(out)))
        out += file.local_header() + file.body + (file.descriptor or b"")
    out += before_directory
    start = len(out)
    for index in range(len(files)) if order is None else order:
        out += headers[index]
    out += directory
    values = {"disk": 0, "first": 0, "here": len(files), "entries": len(files), "size": len(out) - start}
    values["offset"] = start
    out += gap
    if zip64:
        at = len(out)
        wide = {**values, "at": at, "disks": 1, "rest": 44 + len(zip64_data)}
        wide |= {"needed": 45}
        wide |= {key[:-2]: value for key, value in end.items() if key.endswith("64")}
        out += struct.pack(
            "<4sQ2H2L4Q", b"PK\6\6", wide["rest"], 45, wide["needed"], wide["disk"], wide["first"],
            wide["here"], wide["entries"], wide["size"], wide["offset"],
        )  # fmt: skip
        out += zip64_data
        out += struct.pack("<4sLQL", b"PK\6\7", 0, wide["at"], wide["disks"])
    values |= {key: value for key, value in end.items() if not key.endswith("64")}
    out += end_record(**values, comment=len(comment)) + comment + after
    return bytes(out)


def end_record(
    *, disk: int = 0, first: int = 0, here: int, entries: int, size: int, offset: int, comment: int = 0
) -> bytes:
    return struct.pack("<4s4H2LH", b"PK\5\6", disk, first, here, entries, size, offset, comment)


def extra(header: int, data: bytes) -> bytes:
    return struct.pack("<2H", header, len(data)) + data


def zip64_extra(*values: int) -> bytes:
    return extra(0x0001, struct.pack(f"<{len(values)}Q", *values))


def unicode_extra(raw_name: bytes, better: bytes) -> bytes:
    return extra(0x7075, struct.pack("<BL", 1, crc32(raw_name)) + better)


def descriptor(data: bytes, packed: int, *, signature: bool = True, wide: bool = False) -> bytes:
    sizes = struct.pack("<2Q" if wide else "<2L", packed, len(data))
    return (b"PK\7\x08" if signature else b"") + struct.pack("<L", crc32(data)) + sizes


def deflated_zeros(size: int) -> bytes:
    """`size` zeros (1 more than a multiple of 258) as deflate packs them tightest: 2 bits for every 258."""
    repeats, rest = divmod(size - 1, 258)
    assert rest == 0

    def number(value: int, width: int) -> str:
        return f"{value:0{width}b}"[::-1]

    # RFC 1951, 3.2.7. Code lengths in use are 1 and 2, and 18 for runs of 0.
    bits = "1" + number(2, 2) + number(286 - 257, 5) + number(0, 5) + number(18 - 4, 4)
    order = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1)
    bits += "".join(number({18: 1, 1: 2, 2: 2}.get(symbol, 0), 3) for symbol in order)
    one, two, run = "10", "11", "0"
    # Literal 0 and the end have codes of 2 bits, length 258 and distance 1 codes of 1 bit.
    bits += (
        two
        + run
        + number(138 - 11, 7)
        + run
        + number(117 - 11, 7)
        + two
        + run
        + number(28 - 11, 7)
        + one
        + one
    )
    bits += "10" + "00" * repeats + "11"
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[at : at + 8][::-1], 2) for at in range(0, len(bits), 8))


class _RangeCoder:
    """LZMA's range coder, enough for literals without context."""

    def __init__(self) -> None:
        self.low, self.range, self.cache, self.pending, self.out = 0, 0xFFFFFFFF, 0, 1, bytearray()

    def bit(self, model: list[int], at: int, bit: int) -> None:
        bound = (self.range >> 11) * model[at]
        if bit:
            self.low, self.range = self.low + bound, self.range - bound
            model[at] -= model[at] >> 5
        else:
            self.range = bound
            model[at] += (2048 - model[at]) >> 5
        while self.range < 1 << 24:
            self.range <<= 8
            self.shift()

    def shift(self) -> None:
        if self.low < 0xFF000000 or self.low > 0xFFFFFFFF:
            carry = self.low >> 32
            self.out += bytes([self.cache + carry & 0xFF]) + bytes([0xFF + carry & 0xFF]) * (self.pending - 1)
            self.cache, self.pending = self.low >> 24 & 0xFF, 0
        self.pending += 1
        self.low = (self.low & 0x00FFFFFF) << 8


def lzma_without_end(data: bytes, window: int = 1 << 16) -> bytes:
    """ZIP's LZMA (5.8) with no end marker, which no library here writes: all literals."""
    coder, is_match, literals = _RangeCoder(), [1024], [1024] * 0x300
    for byte in data:
        coder.bit(is_match, 0, 0)
        symbol = 1
        for shift in range(7, -1, -1):
            bit = byte >> shift & 1
            coder.bit(literals, symbol, bit)
            symbol = symbol << 1 | bit
    for _ in range(5):
        coder.shift()
    return struct.pack("<2BHBL", 9, 20, 5, 0, window) + bytes(coder.out)
