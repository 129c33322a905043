"""What honest writers write, common or rare: all of it is read."""

from tests.archives.cases.case import FOLDER, READ, Case, reads
from tests.archives.craft import (
    FOLDER as FOLDER_MODE,
)
from tests.archives.craft import (
    File,
    archive,
    descriptor,
    end_record,
    extra,
    lzma_without_end,
    zip64_extra,
)
from tests.archives.samples import BZIP2, DEFLATE, DEFLATE64, LZMA, TEXT, ZSTANDARD

FULL = 0xFFFFFFFF
LFH = 30 + len("a.txt")


def packed(name: str = "a.txt", **more: object) -> File:
    return File(name, TEXT, **{"method": 8, "packed": DEFLATE, **more})  # type: ignore[arg-type]


def stored(name: str = "a.txt", **more: object) -> File:
    return File(name, TEXT, **more)  # type: ignore[arg-type]


METHODS = [
    Case("stored", "4.4.5", "Stored is read.", archive(stored()), reads()),
    Case("deflate", "4.4.5", "Deflate is read.", archive(packed()), reads()),
    Case("deflate64", "4.4.5", "Deflate64 is read.", archive(File("a.txt", TEXT, 9, DEFLATE64)), reads()),
    Case("bzip2", "4.4.5", "bzip2 is read.", archive(File("a.txt", TEXT, 12, BZIP2)), reads()),
    Case(
        "lzma", "5.8", "LZMA with an end marker is read.", archive(File("a.txt", TEXT, 14, LZMA, 2)), reads()
    ),
    Case(
        "lzma-without-end-marker",
        "4.4.4",
        "LZMA without one ends at the size that the directory gives.",
        archive(File("a.txt", TEXT, 14, lzma_without_end(TEXT))),
        reads(),
    ),
    Case(
        "lzma-end-marker-not-announced",
        "4.4.4",
        "LZMA with an end marker that no flag announces.",
        archive(File("a.txt", TEXT, 14, LZMA)),
        reads(),
    ),
    Case("zstandard", "4.4.5", "Zstandard is read.", archive(File("a.txt", TEXT, 93, ZSTANDARD)), reads()),
]

EMPTY = [
    Case("empty-archive", "4.3.6", "An end record alone is an archive without entries.", archive(), ()),
    Case(
        "empty-archive-zip64",
        "4.3.14",
        "The same in ZIP64 form.",
        archive(zip64=True, entries=0xFFFF, here=0xFFFF, size=FULL, offset=FULL),
        (),
    ),
    Case("empty-file", "4.3.8", "A file of no bytes, stored.", archive(File("a.txt")), reads()),
    Case(
        "empty-file-deflate",
        "4.3.8",
        "A file of no bytes, deflated to two.",
        archive(File("a.txt", b"", 8, b"\x03\x00")),
        reads(),
    ),
    Case(
        "empty-file-deflate-without-data",
        "4.3.8",
        "Some writers call an empty file deflated and write no data at all: nothing stands for nothing.",
        archive(File("a.txt", b"", 8, b"")),
        reads(),
    ),
    Case(
        "folder",
        "4.3.8",
        'A name ending in "/" is a folder: skipped, S3 has none.',
        archive(File("data/", mode=FOLDER_MODE), packed("data/a.txt")),
        (FOLDER, READ),
    ),
]

STREAMED = [
    Case(
        "descriptor",
        "4.3.9",
        "A streaming writer leaves zeros in the local header and a data descriptor behind the data.",
        archive(packed(descriptor=descriptor(TEXT, len(DEFLATE))), packed("b.txt")),
        reads(2),
    ),
    Case(
        "descriptor-without-signature",
        "4.3.9.3",
        "The data descriptor's signature is optional.",
        archive(packed(descriptor=descriptor(TEXT, len(DEFLATE), signature=False)), packed("b.txt")),
        reads(2),
    ),
    Case(
        "descriptor-zip64",
        "4.3.9.2",
        "A data descriptor with 8-byte sizes.",
        archive(packed(descriptor=descriptor(TEXT, len(DEFLATE), wide=True)), packed("b.txt")),
        reads(2),
    ),
    Case(
        "descriptor-zip64-without-signature",
        "4.3.9.2",
        "The same without signature.",
        archive(packed(descriptor=descriptor(TEXT, len(DEFLATE), signature=False, wide=True))),
        reads(),
    ),
    Case(
        "descriptor-zip64-local-extra",
        "4.5.3",
        "A streaming writer that announces ZIP64: full fields, and zeros in the ZIP64 extra field.",
        archive(
            packed(
                descriptor=descriptor(TEXT, len(DEFLATE), wide=True),
                local={"packed": FULL, "size": FULL},
                local_extra=zip64_extra(0, 0),
            )
        ),
        reads(),
    ),
    Case(
        "descriptor-and-sizes",
        "4.4.4",
        "Bit 3 is set, and yet the local header has the values.",
        archive(
            packed(flags=8, descriptor=descriptor(TEXT, len(DEFLATE)), local=packed().fields | {"flags": 8})
        ),
        reads(),
    ),
    Case(
        "descriptor-stored",
        "4.3.9",
        "A stored file with a data descriptor; its length is known from the directory.",
        archive(stored(descriptor=descriptor(TEXT, len(TEXT))), packed("b.txt")),
        reads(2),
    ),
    Case(
        "descriptor-empty-file",
        "4.3.9",
        "A file of no bytes with a data descriptor.",
        archive(File("a.txt", b"", 8, b"\x03\x00", descriptor=descriptor(b"", 2))),
        reads(),
    ),
]

ZIP64 = [
    Case(
        "zip64",
        "4.5.3",
        "Full fields whose ZIP64 extra field holds small values, and ZIP64 end records.",
        archive(
            packed(
                central={"size": FULL, "packed": FULL, "offset": FULL},
                extra=zip64_extra(len(TEXT), len(DEFLATE), 0),
                local={"packed": FULL, "size": FULL},
                local_extra=zip64_extra(len(TEXT), len(DEFLATE)),
            ),
            zip64=True,
            entries=0xFFFF,
            here=0xFFFF,
            size=FULL,
            offset=FULL,
        ),
        reads(),
    ),
    Case(
        "zip64-size-only",
        "4.5.3",
        "The ZIP64 extra field holds only the fields that are full.",
        archive(
            stored("b.txt"),
            packed(central={"size": FULL}, extra=zip64_extra(len(TEXT))),
        ),
        reads(2),
    ),
    Case(
        "zip64-extra-not-called-for",
        "4.5.3",
        "A ZIP64 extra field beside fields that are not full counts for nothing.",
        archive(packed(extra=zip64_extra(1, 2))),
        reads(),
    ),
    Case(
        "zip64-end-small-values",
        "4.3.14",
        "ZIP64 end records beside an end record that holds the same values.",
        archive(packed(), zip64=True),
        reads(),
    ),
]

LAYOUT = [
    Case("comment", "4.3.16", "An archive comment.", archive(packed(), comment=b"made by hand"), reads()),
    Case(
        "comment-with-end-record",
        "4.3.16",
        "An end record inside the comment that fits no directory is text.",
        archive(packed(), comment=b"see: " + end_record(here=1, entries=1, size=50, offset=0)),
        reads(),
    ),
    Case(
        "comments-and-extras",
        "4.3.12",
        "Comments and extra fields of entries, unknown ids and padding among them.",
        archive(packed(extra=extra(0x5455, b"\1\0\0\0\0") + b"\0\0", local_extra=b"\0\0\0", comment=b"note")),
        reads(),
    ),
    Case(
        "directory-in-other-order",
        "4.3.12",
        "The directory's order is not that of the data.",
        archive(packed(), stored("b.txt"), packed("c.txt"), order=(2, 0, 1)),
        reads(3),
    ),
    Case(
        "ghost",
        "4.3.12",
        "A local file that the directory does not name does not exist.",
        archive(packed(before=File("ghost.txt", b"boo").local_header() + b"boo"), stored("b.txt")),
        reads(2),
        names=("a.txt", "b.txt"),
    ),
    Case(
        "leading-data",
        "4.1.9",
        "A program in front of the archive (self-extractor) is never read, where offsets count it.",
        archive(packed(), lead=b"MZ\x90\0 unzips itself"),
        reads(),
    ),
    Case(
        "deflate-hints-differ",
        "4.4.4",
        "Bits 1 and 2 only tell how hard deflate tried: headers may differ on them.",
        archive(packed(local={"flags": 6})),
        reads(),
    ),
]

CASES = METHODS + EMPTY + STREAMED + ZIP64 + LAYOUT
