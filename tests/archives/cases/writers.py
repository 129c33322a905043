"""What real writers leave that the specification does not foresee, and that has one reading all the same."""

import struct

from runtime.shared.contracts import EntryOutcome as O
from tests.archives.cases.accepted import FULL, packed, stored
from tests.archives.cases.case import READ, Case, reads
from tests.archives.craft import PIPE, UTF8, File, archive, descriptor, end_record, extra, zip64_extra
from tests.archives.samples import DEFLATE, TEXT, ZSTANDARD

FULL64 = (1 << 64) - 1
TWO = archive(packed(), stored("b.txt"))
WIDE = {"zip64": True, "entries": 0xFFFF, "here": 0xFFFF, "size": FULL, "offset": FULL}
SKIPPABLE = struct.pack("<2L", 0x184D2A53, 5) + b"index"
ZSTANDARD_EMPTY = bytes.fromhex("28b52ffd2000010000")


def behind(file: str, rule: str, surplus: bytes, *, wide: bool = False) -> Case:
    content = archive(packed(), stored("b.txt"), **(WIDE if wide else {})) + surplus  # type: ignore[arg-type]
    return Case(file, "4.3.6", rule, content, reads(2), noted=f"{len(surplus)} bytes follow")


BEHIND = [
    behind("behind-newline", "A newline behind the archive, from a script's echo.", b"\r\n"),
    behind("behind-padding", "Zeros up to a block (bsdtar into a pipe).", bytes(512 - len(TWO) % 512)),
    behind("behind-page", "A web server's page behind the archive.", b"<html><body>bye</body></html>"),
    behind("behind-zip64", "The same behind ZIP64 end records.", b"\n", wide=True),
    behind("behind-zip64-padding", "Padding behind ZIP64 end records.", bytes(300), wide=True),
    behind("behind-far", "More bytes than a comment could have.", b"\0" * 70_000),
    behind("behind-signature", "An end record's signature and nothing more.", b"PK\5\6 and then text"),
    Case(
        "comment-not-counted",
        "4.3.16",
        "A comment whose length says 0.",
        archive(packed()) + b"made by hand",
        reads(),
        noted="12 bytes follow",
    ),
    Case(
        "comment-counted-short",
        "4.3.16",
        "A comment that is longer than its length says.",
        archive(packed(), comment=b"made") + b" by hand",
        reads(),
        noted="8 bytes follow",
    ),
    Case(
        "comment-of-end-records",
        "4.3.16",
        "A comment full of end records that reach the last byte and lead to no directory.",
        archive(
            packed(),
            comment=b"".join(
                end_record(here=1, entries=1, size=9, offset=9, comment=22 * left)
                for left in range(9, -1, -1)
            ),
        ),
        reads(),
    ),
]

PLACE = [
    Case(
        "leading-data-not-counted",
        "4.1.9",
        "Bytes before the archive that its offsets ignore (a program, an answer's head).",
        b"HTTP/1.1 200 OK\r\n\r\n" + TWO,
        reads(2),
        noted="19 bytes stand before",
    ),
    Case(
        "leading-data-not-counted-zip64",
        "4.1.9",
        "The same before ZIP64 end records, whose locator ignores them too.",
        b"#!/bin/sh\n" + archive(packed(), stored("b.txt"), **WIDE),  # type: ignore[arg-type]
        reads(2),
        noted="10 bytes stand before",
    ),
    Case(
        "directory-gap",
        "4.3.6",
        "Padding between the directory and the end record.",
        archive(packed(), gap=bytes(16)),
        reads(),
        noted="67 bytes are announced as 51",
    ),
    Case(
        "directory-signed",
        "4.3.13",
        "A digital signature closes the directory.",
        archive(packed(), gap=b"PK\5\5\x04\0sign", size=51 + 10),
        reads(),
    ),
    Case(
        "directory-signed-not-counted",
        "4.3.13",
        "The same, where the directory's size leaves it out.",
        archive(packed(), gap=b"PK\5\5\x04\0sign"),
        reads(),
        noted="announced as 51",
    ),
    Case(
        "directory-offset-wrong",
        "4.4.24",
        "An offset that leads nowhere, before a directory right before the end record.",
        archive(packed(), offset=10),
        reads(),
        noted="bytes behind its stated offset",
    ),
    Case(
        "zip64-locator-astray",
        "4.3.15",
        "A locator that leads astray; the ZIP64 end record stands right before it.",
        archive(packed(), zip64=True, at64=3),
        reads(),
        noted="locator leads astray",
    ),
    Case(
        "zip64-locator-far",
        "4.3.15",
        "A locator that leads out of the file.",
        archive(packed(), zip64=True, at64=1 << 63),
        reads(),
        noted="locator leads astray",
    ),
    Case(
        "zip64-end-extended",
        "4.3.14",
        "A ZIP64 end record with data of its own behind its fields.",
        archive(packed(), zip64_data=b"more", **WIDE),  # type: ignore[arg-type]
        reads(),
    ),
    Case(
        "zip64-end-modulo",
        "4.4.1.4",
        "An end record whose count begins again at 65,536, beside a ZIP64 one.",
        archive(packed(), zip64=True, entries=1, here=1, size=51, offset=FULL),
        reads(),
    ),
    Case(
        "spanning-marker",
        "8.5.4",
        "The marker of an archive that was to be split and fitted into one segment.",
        archive(packed(), lead=b"PK00"),
        reads(),
    ),
    Case(
        "signing-block",
        "4.3.6",
        "A block between the last entry and the directory (Android's signatures).",
        archive(packed(), before_directory=bytes(24) + b"APK Sig Block 42"),
        reads(),
    ),
]


def streamed(file: str, rule: str, section: str = "4.4.4", **more: object) -> Case:
    first = packed("a.txt", **{"descriptor": descriptor(TEXT, len(DEFLATE)), **more})
    return Case(file, section, rule, archive(first, stored("b.txt")), reads(2))


ONES = {"packed": FULL, "size": FULL}
LOCAL = [
    streamed(
        "sizes-all-ones",
        "All ones in the local header and its ZIP64 field: not known yet (SharpZipLib into a pipe).",
        "4.5.3",
        local=ONES,
        local_extra=zip64_extra(FULL64, FULL64),
        descriptor=descriptor(TEXT, len(DEFLATE), wide=True),
    ),
    streamed("sizes-all-ones-narrow", "All ones, and no ZIP64 field.", local=ONES),
    streamed("sizes-all-ones-one", "All ones in one of the two sizes.", local={"packed": 0, "size": FULL}),
    streamed("crc-all-ones", "All ones for a CRC-32 that is not known yet.", local={"crc": FULL}),
    streamed(
        "sizes-all-ones-zero-field",
        "All ones in the header, zeros in the ZIP64 field.",
        "4.5.3",
        local=ONES,
        local_extra=zip64_extra(0, 0),
    ),
    Case(
        "zip64-local-both",
        "4.5.3",
        "A local ZIP64 field has both sizes, though only one is full.",
        archive(packed(local={"packed": FULL}, local_extra=zip64_extra(len(TEXT), len(DEFLATE)))),
        reads(),
    ),
    Case(
        "descriptor-flag-only-local",
        "4.4.4",
        "Bit 3 in the local header only: whether a descriptor follows is the local header's matter.",
        archive(packed(descriptor=descriptor(TEXT, len(DEFLATE)), central={"flags": 0}), stored("b.txt")),
        reads(2),
    ),
    Case(
        "descriptor-flag-only-central",
        "4.4.4",
        "Bit 3 in the directory only, the local header has all values (written again after the stream).",
        archive(packed(central={"flags": 8}), stored("b.txt")),
        reads(2),
    ),
    Case(
        "descriptor-missing-values-there",
        "4.3.9.1",
        "Bit 3 and no descriptor, but the local header has all values.",
        archive(packed(flags=8), stored("b.txt")),
        reads(2),
    ),
    Case(
        "utf8-flag-only-central",
        "4.4.4",
        "Bit 11 in the directory only, on an ASCII name.",
        archive(packed(central={"flags": UTF8}), stored("b.txt", local={"flags": UTF8})),
        reads(2),
    ),
    Case(
        "utf8-flag-only-central-valid",
        "4.4.4",
        "Bit 11 in the directory only, on a name that is UTF-8 either way.",
        archive(packed("caf\u00e9.txt", local={"flags": 0})),
        reads(),
        names=("caf\u00e9.txt",),
    ),
    Case(
        "unused-flags-differ",
        "4.4.4",
        "Bits that mean nothing for the method differ.",
        archive(packed(local={"flags": 0x0016}), stored("b.txt", central={"flags": 0x8000})),
        reads(2),
    ),
    Case(
        "separators-differ",
        "4.4.17.1",
        'The local header has "\\" where the directory has "/".',
        archive(
            packed("a/b.txt", local={"name": b"a\\b.txt"}), packed("c\\d.txt", local={"name": b"c/d.txt"})
        ),
        reads(2),
        names=("a/b.txt", "c/d.txt"),
    ),
    Case(
        "dot-only-local",
        "4.4.17.1",
        'The local header has "./" before the name.',
        archive(packed("a.txt", local={"name": b"./a.txt"})),
        reads(),
    ),
    Case(
        "code-page-only-local",
        "D.1",
        "The local header has the name in code page 437, the directory in UTF-8.",
        archive(packed("caf\u00e9.txt", local={"name": b"caf\x82.txt", "flags": 0})),
        reads(),
    ),
]

KIND = [
    Case(
        "pipe",
        "4.4.15",
        'What was piped into the archiver: "-" with a pipe\'s mode is a file.',
        archive(packed("-", mode=PIPE), stored("b.txt")),
        reads(2),
        noted="made from a pipe",
    ),
    Case(
        "pipe-empty",
        "4.4.15",
        "The same, of a command that said nothing.",
        archive(File("-", mode=PIPE)),
        reads(),
        noted="made from a pipe",
    ),
    Case(
        "pipe-named",
        "4.4.15",
        "What was read from a pipe by its name.",
        archive(packed("dev/fd/63", mode=PIPE)),
        reads(),
        noted="made from a pipe",
    ),
]


def zstandard(file: str, rule: str, data: bytes, body: bytes) -> Case:
    return Case(file, "-", rule, archive(File("a.txt", data, 93, body), stored("b.txt")), reads(2))


ZSTD = [
    zstandard("zstandard-frames", "Several Zstandard frames.", TEXT * 2, ZSTANDARD * 2),
    zstandard("zstandard-skippable-first", "A frame to be skipped, first.", TEXT, SKIPPABLE + ZSTANDARD),
    zstandard("zstandard-skippable-last", "A frame to be skipped, last.", TEXT, ZSTANDARD + SKIPPABLE),
    zstandard(
        "zstandard-mixed",
        "All kinds of frames.",
        TEXT * 2,
        ZSTANDARD + SKIPPABLE + ZSTANDARD_EMPTY + ZSTANDARD,
    ),
    zstandard("zstandard-empty", "A frame of no bytes.", b"", ZSTANDARD_EMPTY),
]


def own_field(file: str, section: str, rule: str, bad: File) -> Case:
    return Case(file, section, rule, archive(bad, stored("good.txt")), (O.HEADER_MISMATCH, READ))


EXTRA = [
    own_field(
        "zip64-missing",
        "4.5.3",
        "A full field without a ZIP64 extra field: that entry's fault.",
        packed(central={"size": FULL}),
    ),
    own_field(
        "zip64-offset-missing",
        "4.5.3",
        "An offset without one: nobody knows where the entry is.",
        packed(central={"offset": FULL}),
    ),
    own_field(
        "zip64-disk-missing",
        "4.5.3",
        "A disk number that is all ones without a ZIP64 extra field.",
        packed(central={"disk": 0xFFFF}),
    ),
    Case(
        "zip64-offset-not-called-for",
        "4.5.3",
        "A ZIP64 extra field with an offset, though the header's own is not full.",
        archive(
            packed(
                central={"size": FULL, "packed": FULL},
                extra=zip64_extra(len(TEXT), len(DEFLATE), 12_345),
            )
        ),
        reads(),
    ),
    own_field(
        "zip64-short",
        "4.5.3",
        "A ZIP64 extra field too short for the fields that are full.",
        packed(central={"size": FULL, "packed": FULL}, extra=zip64_extra(len(TEXT))),
    ),
    own_field(
        "zip64-twice",
        "4.5.3",
        "Two ZIP64 extra fields that differ: readers differ on which counts.",
        packed(
            central={"size": FULL, "packed": FULL},
            extra=zip64_extra(len(TEXT), len(DEFLATE)) + zip64_extra(1, 2),
        ),
    ),
    own_field(
        "unicode-extra-twice",
        "4.6.9",
        "Two Unicode path extra fields that differ.",
        packed(extra=extra(0x7075, b"one") + extra(0x7075, b"two")),
    ),
    Case(
        "zip64-twice-same",
        "4.5.3",
        "Two ZIP64 extra fields that say the same.",
        archive(
            packed(central={"size": FULL, "packed": FULL}, extra=zip64_extra(len(TEXT), len(DEFLATE)) * 2)
        ),
        reads(),
    ),
    Case(
        "extra-cut",
        "4.5.1",
        "An extra field that is longer than there is room: it ends the list.",
        archive(packed(extra=b"\x55\x54\xff\0\1", local_extra=b"\x55\x54\xff\0\1")),
        reads(),
    ),
]

CASES = BEHIND + PLACE + LOCAL + KIND + ZSTD + EXTRA
