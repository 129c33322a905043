"""Names: how they are decoded, which are refused, which two are one."""

from runtime.shared.contracts import EntryOutcome as O
from runtime.worker.archive import Limits
from tests.archives.cases.accepted import packed, stored
from tests.archives.cases.case import FOLDER, READ, REPEATED, Case, beside, reads
from tests.archives.craft import FOLDER as FOLDER_MODE
from tests.archives.craft import UTF8, File, archive, unicode_extra

NFC, NFD = "caf\u00e9.txt", "cafe\u0301.txt"


def refused(
    file: str, rule: str, name: str | bytes, outcome: O = O.UNSAFE_NAME, section: str = "4.4.17"
) -> Case:
    return Case(file, section, rule, archive(stored_as(name), packed("good.txt")), beside(outcome))


def stored_as(name: str | bytes, **more: object) -> File:
    return File(name, b"evil" if isinstance(name, bytes) else b"text", **more)  # type: ignore[arg-type]


def accepted(
    file: str, rule: str, name: str | bytes, looked_up: str, section: str = "4.4.17", **more: object
) -> Case:
    return Case(file, section, rule, archive(stored_as(name, **more)), reads(), names=(looked_up,))


DECODED = [
    accepted("name-utf8", "Bit 11: the name is UTF-8.", "données/été.txt", "données/été.txt", "D.2"),
    accepted("name-cp437", "Without bit 11 the name is in code page 437 ...", b"caf\x82.txt", NFC, "D.1"),
    accepted(
        "name-utf8-unflagged",
        "... unless it is valid UTF-8: Info-ZIP, macOS and others leave the bit out.",
        NFC.encode(),
        NFC,
        "D.1",
    ),
    accepted(
        "name-unicode-extra",
        "Info-ZIP's Unicode path extra field replaces a name that is not UTF-8.",
        b"caf?.txt",
        NFC,
        "4.6.9",
        extra=unicode_extra(b"caf?.txt", NFC.encode()),
    ),
    accepted(
        "name-unicode-extra-stale",
        "It is ignored when its CRC-32 is of another name: the entry was renamed since.",
        b"new.txt",
        "new.txt",
        "4.6.9",
        extra=unicode_extra(b"old.txt", NFC.encode()),
    ),
    accepted(
        "name-decomposed", "The name's Unicode form is kept: S3 and DynamoDB compare bytes.", NFD, NFD, "-"
    ),
    accepted(
        "name-backslash",
        '"\\" stands for "/", as the Windows writers mean it.',
        "a\\b.txt",
        "a/b.txt",
        "4.4.17.1",
    ),
    accepted("name-hidden", "A leading dot is part of a name.", "a/.hidden", "a/.hidden", "-"),
    accepted("name-dots", "Dots that are not a whole segment climb nowhere.", "a/..b/c..", "a/..b/c..", "-"),
    accepted(
        "name-device", "Windows' device names are ordinary keys in S3.", "con/nul.txt", "con/nul.txt", "-"
    ),
    Case(
        "name-case-differs",
        "-",
        "S3 keys keep case apart: neither overwrites the other, both are read.",
        archive(stored("Read.me"), packed("READ.ME")),
        reads(2),
    ),
    Case(
        "name-file-and-folder",
        "-",
        "In S3 a key may also be the beginning of another.",
        archive(stored("data"), packed("data/a.txt")),
        reads(2),
    ),
]

REFUSED = [
    refused("name-drive", "A drive letter.", "C:/boot.ini", section="4.4.17.1"),
    refused("name-drive-relative", "A drive letter without a slash.", "c:boot.ini", section="4.4.17.1"),
    refused("name-unc", "A UNC path.", "\\\\server\\share\\a.txt", section="4.4.17.1"),
    refused("name-climbs", "A path that climbs.", "../a.txt"),
    refused("name-climbs-inside", "A path that climbs half-way, though it stays inside.", "a/../b.txt"),
    refused("name-climbs-backslash", 'A path that climbs with "\\".', "..\\..\\a.txt"),
    refused("name-climbs-at-end", 'A path that ends in "..".', "a/.."),
    refused("name-unc-mixed", "A UNC path with one slash.", "\\\\server/a.txt", section="4.4.17.1"),
    refused("name-drive-behind-root", "A drive letter behind a root.", "/C:/a.txt", section="4.4.17.1"),
    refused("name-climbs-behind-dot", 'A path that climbs behind a "." segment.', "./../a.txt"),
    refused("name-empty", "An empty name (a writer that read standard input).", ""),
    refused("name-nul", "NUL, where other tools cut the name off.", "a.txt\0.exe"),
    refused("name-control", "A control character (line feed).", "a\nb.txt"),
    refused("name-bidi", "A character that turns round how the name is shown.", "a\u202etxt.exe"),
    Case(
        "name-invalid-utf8",
        "D.2",
        "Bit 11 is set and the name is not UTF-8.",
        archive(File(b"caf\xe9.txt", b"text", flags=UTF8), packed("good.txt")),
        beside(O.UNSAFE_NAME),
    ),
    Case(
        "name-unicode-extra-invalid",
        "4.6.9",
        "The Unicode path extra field is not UTF-8.",
        archive(File(b"a.txt", b"text", extra=unicode_extra(b"a.txt", b"\xff.txt")), packed("good.txt")),
        beside(O.UNSAFE_NAME),
    ),
    Case(
        "name-unicode-extra-climbs",
        "4.6.9",
        "The name that counts is judged: here the extra field's.",
        archive(File(b"a.txt", b"text", extra=unicode_extra(b"a.txt", b"../a.txt")), packed("good.txt")),
        beside(O.UNSAFE_NAME),
    ),
    refused("name-too-long", "A name longer than an S3 key can take.", "n" * 760, O.LIMIT_EXCEEDED, "-"),
    refused("name-too-deep", "More than 64 folders deep.", "d/" * 65 + "a.txt", O.LIMIT_EXCEEDED, "-"),
]

STRICT = Limits(normal_names_only=True)
NORMAL = [
    Case(
        file,
        "4.4.17.1",
        rule,
        archive(stored_as(name), packed("good.txt")),
        reads(2),
        names=(looked_up, "good.txt"),
        noted=f"named {name!r} in the archive",
    )
    for file, rule, name, looked_up in (
        ("name-absolute", "An absolute path is read without its root.", "/etc/passwd", "etc/passwd"),
        ("name-absolute-twice", "Two slashes are one root.", "//data/a.txt", "data/a.txt"),
        ("name-dot-first", 'An archiver that was run on ".".', "./a.txt", "a.txt"),
        ("name-dot-first-backslash", "The same on Windows.", ".\\a.txt", "a.txt"),
        ("name-dot-inside", 'A "." segment inside.', "a/./b.txt", "a/b.txt"),
        ("name-empty-segment", "An empty segment.", "a//b.txt", "a/b.txt"),
        ("name-root-backslash", "A root, with a backslash.", "\\a\\b.txt", "a/b.txt"),
    )
] + [
    Case(
        "name-not-normal-refused",
        "4.4.17.1",
        "The same where the settings ask for names in normal form.",
        archive(stored_as("/a.txt"), stored_as("./b.txt"), stored_as("c//d.txt"), stored_as("e\\f.txt")),
        (O.UNSAFE_NAME, O.UNSAFE_NAME, O.UNSAFE_NAME, READ),
        limits=STRICT,
    ),
    Case(
        "name-dot-folder",
        "4.3.8",
        'An archiver that was run on ".": the folder itself is a folder.',
        archive(File("./", mode=FOLDER_MODE), stored_as("./a.txt"), File("./b/.", mode=FOLDER_MODE)),
        (FOLDER, READ, FOLDER),
        names=("/", "a.txt", "b/"),
    ),
    Case(
        "name-collides-dot",
        "4.4.17.1",
        'Collisions are looked for afterwards: "./a.txt" and "a.txt" are one key.',
        archive(stored_as("./a.txt"), stored("a.txt"), packed("good.txt")),
        (O.NAME_COLLISION, O.NAME_COLLISION, READ),
    ),
    Case(
        "name-collides-root",
        "4.4.17.1",
        '"/a.txt" and "a.txt" are one key.',
        archive(stored("a.txt"), stored_as("/a.txt"), packed("good.txt")),
        (O.NAME_COLLISION, O.NAME_COLLISION, READ),
    ),
    Case(
        "name-code-page",
        "D.1",
        "A setting gives the code page of unflagged names (932 has a backslash as half a letter).",
        archive(stored_as("\u8868\u793a.txt".encode("cp932"))),
        reads(),
        names=("\u8868\u793a.txt",),
        limits=Limits(code_page="cp932"),
    ),
    Case(
        "name-code-page-utf8",
        "D.1",
        "Names that are valid UTF-8 are read as that all the same.",
        archive(stored_as(NFC.encode())),
        reads(),
        names=(NFC,),
        limits=Limits(code_page="cp932"),
    ),
    Case(
        "name-code-page-invalid",
        "D.1",
        "A name that the code page does not have.",
        archive(stored_as(b"a\x81\xff.txt"), packed("good.txt")),
        beside(O.UNSAFE_NAME),
        limits=Limits(code_page="cp932"),
    ),
]

COLLIDING = [
    Case(
        "name-repeated",
        "-",
        "The same name twice, with one size and CRC-32: one file, written by whoever merged two archives.",
        archive(stored("a.txt"), packed("good.txt"), packed("a.txt")),
        (READ, READ, REPEATED),
        noted="given more than once",
    ),
    Case(
        "name-repeated-header",
        "-",
        "The same record of the directory twice.",
        archive(packed(), packed(before=b""), order=(0, 0), entries=2, here=2),
        (READ, REPEATED),
        noted="given more than once",
    ),
    Case(
        "name-repeated-damaged",
        "-",
        "The same size and CRC-32, but one of the two cannot be read: nothing says that they are the same.",
        archive(stored(), packed(method=98)),
        (O.DUPLICATE_NAME, O.UNSUPPORTED_METHOD),
    ),
    Case(
        "folder-repeated",
        "4.3.8",
        "A folder may be named again.",
        archive(File("d/", mode=FOLDER_MODE), File("d/", mode=FOLDER_MODE), packed("d/a.txt")),
        (FOLDER, FOLDER, READ),
    ),
    Case(
        "name-twice",
        "-",
        "The same name twice: neither is read, as nothing says which is meant.",
        archive(stored("a.txt"), stored_as("a.txt"), packed("good.txt")),
        (O.DUPLICATE_NAME, O.DUPLICATE_NAME, READ),
    ),
    Case(
        "name-thrice",
        "-",
        "The same name three times, once with other bytes.",
        archive(stored(), packed(), stored_as("a.txt")),
        (O.DUPLICATE_NAME,) * 3,
    ),
    Case(
        "name-collides-backslash",
        "4.4.17.1",
        '"a\\b" and "a/b" are one key.',
        archive(stored_as("a\\b.txt"), packed("a/b.txt"), packed("good.txt")),
        (O.NAME_COLLISION, O.NAME_COLLISION, READ),
    ),
    Case(
        "name-collides-unicode",
        "-",
        "Two Unicode forms of one name look alike and become one file elsewhere.",
        archive(stored(NFC), packed(NFD), packed("good.txt")),
        (O.NAME_COLLISION, O.NAME_COLLISION, READ),
    ),
]

CASES = DECODED + NORMAL + REFUSED + COLLIDING
