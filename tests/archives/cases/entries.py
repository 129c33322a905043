"""Entries that are refused while the rest of their archive is read."""

import struct

from runtime.shared.contracts import EntryOutcome as O
from tests.archives.cases.accepted import FULL, packed, stored
from tests.archives.cases.case import READ, Case, beside
from tests.archives.craft import (
    DEVICE,
    SYMLINK,
    WINDOWS,
    File,
    archive,
    deflated_zeros,
    descriptor,
    extra,
    lzma_without_end,
    zip64_extra,
)
from tests.archives.craft import FOLDER as FOLDER_MODE
from tests.archives.samples import BZIP2, DEFLATE, DEFLATE64, LZMA, TEXT, ZSTANDARD

GOOD = packed("good.txt")


def refused(file: str, section: str, rule: str, bad: File, outcome: O) -> Case:
    return Case(file, section, rule, archive(bad, GOOD), beside(outcome))


def method(number: int, name: str) -> Case:
    bad = File("a.bin", TEXT, number, b"whatever it is")
    return refused(f"method-{number}", "4.4.5", f"{name} is not read.", bad, O.UNSUPPORTED_METHOD)


KIND = [
    refused("folder-with-data", "4.3.8", "A folder that holds data.", File("a/", TEXT), O.NOT_A_FILE),
    refused("symlink", "4.4.15", "A symbolic link.", File("a", b"/etc/passwd", mode=SYMLINK), O.NOT_A_FILE),
    refused(
        "symlink-from-windows",
        "4.4.15",
        "A symbolic link's mode, though the header says that it was made on Windows.",
        File("a", b"/etc/passwd", mode=SYMLINK, system=WINDOWS),
        O.NOT_A_FILE,
    ),
    refused("device", "4.4.15", "A device.", File("a", mode=DEVICE), O.NOT_A_FILE),
    refused(
        "folder-by-mode",
        "4.4.15",
        'A folder\'s mode on a name without "/".',
        File("a", mode=FOLDER_MODE),
        O.NOT_A_FILE,
    ),
]

ENCRYPTED = [
    refused("encrypted", "6.1", "Traditional encryption.", packed(flags=1), O.ENCRYPTED),
    refused("encrypted-strong", "7.2", "PKWARE's strong encryption.", packed(flags=0x41), O.ENCRYPTED),
    refused("encrypted-directory", "7.3", "Masked headers.", packed(flags=0x2001), O.ENCRYPTED),
    refused(
        "encrypted-aes",
        "E",
        "WinZip's AES.",
        File("a.txt", TEXT, 99, DEFLATE, 1, extra=extra(0x9901, struct.pack("<H2sBH", 2, b"AE", 3, 8))),
        O.ENCRYPTED,
    ),
]

METHODS = [
    method(1, "Shrink"),
    method(6, "Implode"),
    method(20, "Zstandard's withdrawn number"),
    method(95, "XZ"),
    method(98, "PPMd"),
    method(1000, "A method nobody knows"),
    refused("patch", "4.4.4", "Compressed patch data (bit 5).", packed(flags=0x20), O.UNSUPPORTED_METHOD),
]

ZEROS = 258 * 4_000 + 1
LIMITS = [
    refused(
        "bomb",
        "-",
        "A million zeros out of a kilobyte: a ratio over the limit.",
        File("a.bin", bytes(ZEROS), 8, deflated_zeros(ZEROS)),
        O.LIMIT_EXCEEDED,
    ),
    refused(
        "bomb-announced-small",
        "-",
        "The same, announced as 100 bytes: stopped at the hundred-and-first.",
        File("a.bin", bytes(ZEROS), 8, deflated_zeros(ZEROS), central={"size": 100}, local={"size": 100}),
        O.CORRUPT_DATA,
    ),
    refused(
        "size-over-limit",
        "4.4.9",
        "6 TiB announced.",
        packed(central={"size": FULL}, extra=zip64_extra(6 << 40), local={"size": FULL}),
        O.LIMIT_EXCEEDED,
    ),
    refused(
        "lzma-window",
        "5.8",
        "LZMA data that asks for 4 GiB of memory.",
        File("a.txt", TEXT, 14, lzma_without_end(TEXT, window=FULL)),
        O.LIMIT_EXCEEDED,
    ),
    refused(
        "zstandard-window",
        "-",
        "A Zstandard frame that asks for 2 GiB of memory.",
        File("a.txt", TEXT, 93, bytes.fromhex("28b52ffd00a8") + b"\x21\x00\x00a"),
        O.LIMIT_EXCEEDED,
    ),
]

SPANS = [
    Case(
        "overlap-same-header",
        "4.3.2",
        "Two entries of one local header: neither is read.",
        archive(stored(), File("b.txt", TEXT, central={"offset": 0}), GOOD),
        (O.OVERLAP, O.OVERLAP, READ),
    ),
    Case(
        "overlap-quoted",
        "4.3.2",
        "A bomb that quotes the next entry's local header as its own data.",
        archive(
            File("a.txt", stored("b.txt").local_header() + TEXT),
            File("b.txt", TEXT, central={"offset": 35}),
            GOOD,
        ),
        (O.OVERLAP, O.OVERLAP, READ),
    ),
    Case(
        "overlap-directory",
        "4.3.6",
        "Data that would reach into the directory.",
        archive(GOOD, stored(central={"packed": 5_000, "size": 5_000})),
        (READ, O.OVERLAP),
    ),
    Case(
        "offset-beyond-directory",
        "4.4.16",
        "A local header that would lie behind the directory.",
        archive(GOOD, stored(central={"offset": 100_000})),
        (READ, O.OVERLAP),
    ),
    Case(
        "offset-huge",
        "4.5.3",
        "A local header at the end of 64 bits.",
        archive(GOOD, stored(central={"offset": FULL}, extra=zip64_extra((1 << 64) - 1))),
        (READ, O.OVERLAP),
    ),
]

HEADERS = [
    refused(
        "local-missing",
        "4.3.7",
        "No local header at the place.",
        packed(local={"signature": b"PK\3\5"}),
        O.HEADER_MISMATCH,
    ),
    refused(
        "local-name",
        "4.4.17",
        "The local header has another name.",
        packed(local={"name": b"b.txt"}),
        O.HEADER_MISMATCH,
    ),
    refused("local-method", "4.4.5", "Another method.", packed(local={"method": 0}), O.HEADER_MISMATCH),
    refused(
        "local-encrypted",
        "4.4.4",
        "Encrypted by the local header only.",
        packed(local={"flags": 1}),
        O.HEADER_MISMATCH,
    ),
    refused("local-crc", "4.4.7", "Another CRC-32.", packed(local={"crc": 1}), O.HEADER_MISMATCH),
    refused(
        "local-packed-size",
        "4.4.8",
        "Another compressed size.",
        packed(local={"packed": 1}),
        O.HEADER_MISMATCH,
    ),
    refused("local-size", "4.4.9", "Another size.", packed(local={"size": 1}), O.HEADER_MISMATCH),
    refused(
        "local-sizes-zero",
        "4.4.4",
        "Zeros in the local header, without bit 3.",
        packed(local={"size": 0}),
        O.HEADER_MISMATCH,
    ),
    refused(
        "local-zip64-missing",
        "4.5.3",
        "A full field in the local header without a ZIP64 extra field.",
        packed(local={"size": FULL, "packed": FULL}),
        O.HEADER_MISMATCH,
    ),
    refused(
        "descriptor-wrong",
        "4.3.9",
        "A data descriptor with another size.",
        packed(descriptor=descriptor(TEXT, 1)),
        O.HEADER_MISMATCH,
    ),
    refused(
        "descriptor-missing",
        "4.3.9.1",
        "Bit 3 without a data descriptor.",
        packed(descriptor=b""),
        O.HEADER_MISMATCH,
    ),
]


def damaged(file: str, rule: str, bad: File, outcome: O = O.CORRUPT_DATA, section: str = "-") -> Case:
    return refused(file, section, rule, bad, outcome)


DATA = [
    damaged(
        "crc-stored",
        "Stored data that is not what its CRC-32 says.",
        stored(packed=TEXT[:-1] + b"?"),
        O.CORRUPT_DATA,
        "4.4.7",
    ),
    damaged(
        "crc-deflate",
        "Deflated data that is not what its CRC-32 says.",
        packed(central={"crc": 1}, local={"crc": 1}),
        O.CORRUPT_DATA,
        "4.4.7",
    ),
    damaged("stored-sizes-differ", "Stored, with two sizes.", stored(packed=TEXT + b"?"), section="4.4.9"),
    damaged(
        "size-too-small",
        "More data than announced.",
        packed(central={"size": 397}, local={"size": 397}),
        section="4.4.9",
    ),
    damaged(
        "size-too-large",
        "Less data than announced.",
        packed(central={"size": 399}, local={"size": 399}),
        section="4.4.9",
    ),
    damaged("deflate-garbage", "No deflate data.", File("a.txt", TEXT, 8, b"\xff" * 40)),
    damaged("deflate-cut", "Deflate data that breaks off.", File("a.txt", TEXT, 8, DEFLATE[:-3])),
    damaged(
        "deflate-too-far-back",
        "Deflate data that copies from before its beginning.",
        File("a.txt", bytes(258), 8, bytes.fromhex("1b0300")),
    ),
    damaged(
        "trailing-deflate", "Bytes behind the end of deflate data.", File("a.txt", TEXT, 8, DEFLATE + b"?")
    ),
    damaged("trailing-deflate64", "The same for Deflate64.", File("a.txt", TEXT, 9, DEFLATE64 + b"?")),
    damaged("trailing-bzip2", "The same for bzip2.", File("a.txt", TEXT, 12, BZIP2 + b"?")),
    damaged("trailing-lzma", "The same for LZMA.", File("a.txt", TEXT, 14, LZMA + b"?", 2)),
    damaged(
        "trailing-lzma-without-end-marker",
        "The same for LZMA without an end marker.",
        File("a.txt", TEXT, 14, lzma_without_end(TEXT) + b"?"),
    ),
    damaged("trailing-zstandard", "The same for Zstandard.", File("a.txt", TEXT, 93, ZSTANDARD + b"?")),
    damaged("deflate64-cut", "Deflate64 data that breaks off.", File("a.txt", TEXT, 9, DEFLATE64[:-3])),
    damaged("bzip2-cut", "bzip2 data that breaks off.", File("a.txt", TEXT, 12, BZIP2[:-3])),
    damaged("lzma-cut", "LZMA data that breaks off.", File("a.txt", TEXT, 14, LZMA[:-8], 2)),
    damaged(
        "lzma-properties",
        "LZMA with properties that do not exist.",
        File("a.txt", TEXT, 14, b"\x09\x14\x05\x00\xff" + LZMA[5:], 2),
        section="5.8",
    ),
    damaged("zstandard-cut", "Zstandard data that breaks off.", File("a.txt", TEXT, 93, ZSTANDARD[:-3])),
    damaged(
        "empty-file-with-crc",
        "No data, and a CRC-32 of something.",
        File("a.txt", central={"crc": 7}, local={"crc": 7}),
        O.CORRUPT_DATA,
        "4.4.7",
    ),
]

CASES = KIND + ENCRYPTED + METHODS + LIMITS + SPANS + HEADERS + DATA
