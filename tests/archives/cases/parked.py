"""Archives that are parked as a whole: nothing in them can be trusted, or they are no archives."""

from runtime.shared.contracts import ParkReason as R
from runtime.worker.archive import Limits
from tests.archives.cases.accepted import packed, stored
from tests.archives.cases.case import Case
from tests.archives.craft import archive, end_record

WHOLE = archive(packed(), stored("b.txt"))
DIRECTORY_SIZE = 2 * (46 + 5)
DIRECTORY_AT = len(WHOLE) - 22 - DIRECTORY_SIZE


def two_readings() -> bytes:
    """An archive whose comment is the rest of another one, directory and all."""
    inner = stored("other.txt")
    first = archive(packed())
    hidden = inner.local_header() + inner.body
    at = len(first) + len(hidden)
    header = inner.central_header(len(first))
    return archive(
        packed(), comment=hidden + header + end_record(here=1, entries=1, size=len(header), offset=at)
    )


def rivals() -> list[Case]:
    """Two end records with a directory right before each, wherever their offsets count from."""
    first, second = packed(), stored("other.txt")
    hidden = second.local_header() + second.body
    cases = []
    for kind, offset, wide in (
        ("file", len(archive(first)) + len(hidden), False),
        ("its-beginning", len(hidden), False),
        ("nowhere", 7, False),
        ("file-zip64", len(archive(first)) + len(hidden), True),
        ("its-beginning-zip64", len(hidden), True),
    ):
        at = len(archive(first)) if "file" in kind else 0
        header = second.central_header(at)
        rest = archive(directory=header, here=1, entries=1, offset=offset, zip64=wide, size=len(header))
        for place, content in (
            ("comment", archive(first, comment=hidden + rest)),
            ("behind", archive(first) + hidden + rest),
            ("padded", archive(first, comment=hidden + rest) + bytes(30)),
        ):
            cases.append(
                Case(
                    f"two-readings-{place}-{kind}",
                    "4.3.16",
                    f"A second archive in the comment or behind ({place}), its offsets from: {kind}.",
                    content,
                    R.INVALID_ARCHIVE,
                )
            )
    return cases


NOT_WHOLE = [
    Case(
        "not-a-zip",
        "-",
        "A page that says something went wrong.",
        b"<html><body>Sorry</body></html>",
        R.NOT_A_ZIP,
    ),
    Case("no-bytes", "-", "Nothing at all.", b"", R.NOT_A_ZIP),
    Case("cut-in-data", "4.3.16", "Cut off in the middle.", WHOLE[:100], R.TRUNCATED_ARCHIVE),
    Case(
        "cut-in-directory",
        "4.3.16",
        "Cut off in the directory.",
        WHOLE[: DIRECTORY_AT + 60],
        R.TRUNCATED_ARCHIVE,
    ),
    Case("cut-in-end", "4.3.16", "Cut off in the end record.", WHOLE[:-1], R.TRUNCATED_ARCHIVE),
    Case(
        "cut-in-comment",
        "4.3.16",
        "Cut off in the comment.",
        archive(packed(), comment=b"note")[:-1],
        R.TRUNCATED_ARCHIVE,
    ),
    Case(
        "cut-behind-inner-archive",
        "4.3.16",
        "Cut off right behind a ZIP stored inside: its end record is not ours.",
        stored("inner.zip").local_header() + WHOLE + b"...",
        R.TRUNCATED_ARCHIVE,
    ),
    Case("two-archives", "4.3.6", "Two archives one after the other.", WHOLE + WHOLE, R.INVALID_ARCHIVE),
    *rivals(),
    Case(
        "two-archives-differing",
        "4.3.6",
        "Two different archives one after the other.",
        WHOLE + archive(stored("c.txt")),
        R.INVALID_ARCHIVE,
    ),
    Case(
        "two-archives-empty",
        "4.3.6",
        "An archive and an empty one: some readers would find no files.",
        WHOLE + archive(),
        R.INVALID_ARCHIVE,
    ),
    Case(
        "two-readings-empty",
        "4.3.16",
        "An empty archive as the comment.",
        archive(packed(), comment=archive()),
        R.INVALID_ARCHIVE,
    ),
    Case(
        "two-readings-contradicting",
        "4.3.16",
        "A second end record that is wrong in itself, with a directory right before it.",
        WHOLE + archive(stored("c.txt"), entries=2),
        R.INVALID_ARCHIVE,
    ),
    Case(
        "two-directories",
        "4.4.24",
        "A directory at the stated offset and another right before the end record.",
        archive(
            packed(),
            stored("b.txt"),
            before_directory=stored("b.txt").central_header(101),
            offset=DIRECTORY_AT,
        ),
        R.INVALID_ARCHIVE,
    ),
    Case(
        "leading-data-ambiguous",
        "4.1.9",
        "Bytes before the archive with a local header where the first entry would be without them.",
        b"MZ" + stored("a.txt").local_header() + archive(packed(), lead=b"??"),
        R.INVALID_ARCHIVE,
    ),
    Case(
        "two-readings",
        "4.3.16",
        "Two end records that each fit a directory.",
        two_readings(),
        R.INVALID_ARCHIVE,
    ),
]

END = [
    Case(
        "entries-too-many",
        "4.4.22",
        "More entries announced than there are.",
        archive(packed(), entries=2, here=2),
        R.INVALID_ARCHIVE,
    ),
    Case(
        "entries-too-few",
        "4.4.22",
        "Fewer entries announced than there are.",
        archive(packed(), stored("b.txt"), entries=1, here=1),
        R.INVALID_ARCHIVE,
    ),
    Case(
        "entries-absurd",
        "4.4.22",
        "60,000 entries in 51 bytes.",
        archive(packed(), entries=60_000, here=60_000),
        R.INVALID_ARCHIVE,
    ),
    Case(
        "entries-over-limit",
        "4.4.22",
        "More entries announced than the limit: nothing is set aside for them.",
        archive(packed(), zip64=True, entries=0xFFFF, here=0xFFFF, entries64=1 << 40, here64=1 << 40),
        R.ARCHIVE_LIMIT_EXCEEDED,
    ),
    Case(
        "directory-over-limit",
        "4.4.23",
        "A directory larger than the limit (100 bytes here): it is not read.",
        WHOLE,
        R.ARCHIVE_LIMIT_EXCEEDED,
        limits=Limits(max_directory_bytes=100),
    ),
    Case(
        "directory-offset-past-end",
        "4.4.24",
        "A directory behind the end record.",
        archive(packed(), offset=5_000),
        R.INVALID_ARCHIVE,
    ),
    Case(
        "directory-size-wrong",
        "4.4.23",
        "A directory that is longer than its entries.",
        archive(packed(), offset=90, size=62),
        R.INVALID_ARCHIVE,
    ),
    Case(
        "directory-without-header",
        "4.3.12",
        "An entry that is no central header.",
        archive(packed(central={"signature": b"PK\1\3"})),
        R.INVALID_ARCHIVE,
    ),
    Case(
        "directory-name-overruns",
        "4.4.10",
        "A name that reaches over the end.",
        archive(packed()).replace(
            b"\x05\0\0\0\0\0\0\0\0\0\0\0\xa4\x81", b"\x50\0\0\0\0\0\0\0\0\0\0\0\xa4\x81"
        ),
        R.INVALID_ARCHIVE,
    ),
]

ENCRYPTED = [
    Case(
        "directory-encrypted",
        "7.3.3",
        "An encrypted directory, announced by the ZIP64 end record of version 2.",
        archive(
            directory=bytes(range(64)),
            here=0xFFFF,
            entries=0xFFFF,
            here64=1,
            entries64=1,
            needed64=62,
            zip64=True,
            zip64_data=bytes(28),
        ),
        R.ENCRYPTED_ARCHIVE,
    ),
    Case(
        "directory-encrypted-record",
        "4.3.11",
        "An encrypted directory behind its decryption header.",
        archive(directory=b"PK\6\x08" + bytes(60), here=1, entries=1),
        R.ENCRYPTED_ARCHIVE,
    ),
]

SPLIT = [
    Case(
        "split",
        "4.4.19",
        "The last segment of a split archive.",
        archive(packed(), disk=2, first=2),
        R.MULTI_DISK_ARCHIVE,
    ),
    Case(
        "split-first",
        "8.5.3",
        "The first segment of a split archive.",
        b"PK\7\x08" + WHOLE[:100],
        R.MULTI_DISK_ARCHIVE,
    ),
    Case(
        "entries-contradict",
        "4.4.21",
        "Two counts that differ, of an archive on one disk: not split, but wrong.",
        archive(packed(), entries=3),
        R.INVALID_ARCHIVE,
    ),
    Case(
        "split-entry",
        "4.4.13",
        "One entry begins in another segment.",
        archive(packed(central={"disk": 1})),
        R.MULTI_DISK_ARCHIVE,
    ),
    Case(
        "split-zip64",
        "4.3.15",
        "A ZIP64 archive of three segments.",
        archive(packed(), zip64=True, disks64=3),
        R.MULTI_DISK_ARCHIVE,
    ),
]

ZIP64 = [
    Case(
        "zip64-end-size",
        "4.3.14.1",
        "A ZIP64 end record that does not reach its locator.",
        archive(packed(), zip64=True, rest64=40),
        R.INVALID_ARCHIVE,
    ),
    Case(
        "zip64-ends-disagree",
        "4.4.1.4",
        "The two end records disagree.",
        archive(packed(), zip64=True, entries=2, here=2),
        R.INVALID_ARCHIVE,
    ),
]

CASES = NOT_WHOLE + END + ENCRYPTED + SPLIT + ZIP64
