"""Agreement with other implementations: zipfile, Info-ZIP (zip, unzip) and stream-unzip.

They forgive much that is refused here (of the corpus's bad entries zipfile reads more than half), so
agreement is asked for in two directions: what we read, they read the same; what they find damaged, we do not
read. Of the unusual archives they may refuse some, but what they do read is the same.
"""

import io
import random
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from stream_unzip import stream_unzip

from tests.archives.build import path_of
from tests.archives.cases import CASES, FOLDER, GROUPS, READ, REPEATED, Case, names
from tests.archives.examine import Finding, examine
from tests.archives.samples import TEXT

ZIP, UNZIP = shutil.which("zip"), shutil.which("unzip")
needs_zip = pytest.mark.skipif(ZIP is None, reason="Info-ZIP's zip is not installed")
needs_unzip = pytest.mark.skipif(UNZIP is None, reason="Info-ZIP's unzip is not installed")

UNUSUAL = {case.file for case in (*GROUPS["Read, and noted where unusual"], *names.NORMAL, *names.COLLIDING)}
WHOLE = [
    case
    for case in CASES
    if isinstance(case.expected, tuple) and set(case.expected) <= {READ, FOLDER, REPEATED} and case.expected
]
# Methods they do not know, and two shapes that they do not forgive.
BEYOND_ZIPFILE = {"deflate64", "zstandard", "comment-with-end-record"}
BEYOND_UNZIP = {
    "lzma",
    "lzma-without-end-marker",
    "lzma-end-marker-not-announced",
    "zstandard",
    "comment-with-end-record",
    "empty-file-deflate-without-data",
}


def read(content: bytes) -> list[Finding]:
    found = examine(content, piece=1_000)
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize(
    "case", [case for case in WHOLE if case.file not in BEYOND_ZIPFILE], ids=lambda c: c.file
)
def test_zipfile_reads_the_same(case: Case) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(case.content)) as archive:
            theirs = [archive.read(info) for info in archive.infolist()]
    except (zipfile.BadZipFile, NotImplementedError):
        assert case.file in UNUSUAL
        return
    ours = read(case.content)
    assert [data for data, one in zip(theirs, ours, strict=True) if one.outcome != REPEATED] == [
        one.data for one in ours if one.outcome != REPEATED
    ]


@needs_unzip
@pytest.mark.parametrize(
    "case",
    [case for case in WHOLE if case.file not in BEYOND_UNZIP and REPEATED not in case.expected],
    ids=lambda c: c.file,
)
def test_unzip_reads_the_same(case: Case) -> None:
    assert UNZIP is not None
    run = subprocess.run(
        [UNZIP, "-pqq", str(path_of(case))], capture_output=True, stdin=subprocess.DEVNULL, check=False
    )
    if run.returncode > 1 and case.file in UNUSUAL:  # 1: a warning
        return
    assert run.returncode <= 1, run.stderr
    assert run.stdout == b"".join(one.data for one in read(case.content))


def test_what_zipfile_finds_damaged_is_not_read() -> None:
    for case in CASES:
        if case.file in BEYOND_ZIPFILE | UNUSUAL:
            continue
        found = examine(case.content, case.limits)
        if not isinstance(found, list):
            continue
        try:
            archive = zipfile.ZipFile(io.BytesIO(case.content))
        except ValueError:  # of a name that is not UTF-8, where we refuse the entry alone
            continue
        for one, info in zip(found, archive.infolist(), strict=True):
            try:
                archive.read(info)
            except Exception:  # noqa: BLE001 - it raises whatever its decoders raise
                assert one.outcome != READ, (case.file, info)


FILES = {
    "empty.txt": b"",
    "data/lines.txt": b"".join(b"%d\t%d\n" % (line, line * line) for line in range(5_000)),
    "data/noise.bin": random.Random(1).randbytes(50_000),
    "data/übergröße.txt": TEXT,
}


def by_zipfile(method: int, **options: bool) -> Callable[[Path], bytes]:
    class Pipe(io.RawIOBase):
        """Nowhere to seek: as a streaming exporter writes."""

        def __init__(self) -> None:
            self.written = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            self.written += memoryview(data)  # type: ignore[arg-type]
            return len(memoryview(data))  # type: ignore[arg-type]

    def write(_: Path) -> bytes:
        seekable, pipe = io.BytesIO(), Pipe()
        streamed = options.get("streamed", False)
        with zipfile.ZipFile(pipe if streamed else seekable, "w", method) as archive:
            for name, data in FILES.items():
                info = zipfile.ZipInfo(name)
                info.compress_type = method
                with archive.open(info, "w", force_zip64=options.get("zip64", False)) as file:
                    file.write(data)
        return bytes(pipe.written) if streamed else seekable.getvalue()

    return write


def by_zip(*arguments: str) -> Callable[[Path], bytes]:
    def write(folder: Path) -> bytes:
        if ZIP is None:
            pytest.skip("Info-ZIP's zip is not installed")
        for name, data in FILES.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(data)
        run = subprocess.run(
            [ZIP, "-qr", *arguments, *sorted(FILES)], cwd=folder, capture_output=True, check=True
        )
        return (folder / "out.zip").read_bytes() if "out.zip" in arguments else run.stdout

    return write


WRITERS = {
    "zipfile-stored": by_zipfile(zipfile.ZIP_STORED),
    "zipfile-deflated": by_zipfile(zipfile.ZIP_DEFLATED),
    "zipfile-bzip2": by_zipfile(zipfile.ZIP_BZIP2),
    "zipfile-lzma": by_zipfile(zipfile.ZIP_LZMA),
    "zipfile-zip64": by_zipfile(zipfile.ZIP_DEFLATED, zip64=True),
    "zipfile-streamed": by_zipfile(zipfile.ZIP_DEFLATED, streamed=True),
    "zipfile-streamed-stored": by_zipfile(zipfile.ZIP_STORED, streamed=True),
    "zipfile-streamed-zip64": by_zipfile(zipfile.ZIP_DEFLATED, streamed=True, zip64=True),
    "zip": by_zip("out.zip"),
    "zip-stored": by_zip("-0", "out.zip"),
    "zip-bzip2": by_zip("-Z", "bzip2", "out.zip"),
    "zip-zip64": by_zip("-fz", "out.zip"),
    "zip-descriptors": by_zip("-fd", "out.zip"),
    "zip-to-a-pipe": by_zip("-"),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_what_they_write_is_read(writer: str, tmp_path: Path) -> None:
    content = WRITERS[writer](tmp_path)
    found = read(content)
    assert {one.entry.name: one.data for one in found} == FILES, [one.detail for one in found]


def test_stream_unzip_reads_the_same(tmp_path: Path) -> None:
    for writer in ("zipfile-deflated", "zipfile-streamed", "zipfile-zip64"):
        content = WRITERS[writer](tmp_path)
        theirs = {name.decode(): b"".join(chunks) for name, _, chunks in stream_unzip([content])}
        assert theirs == {one.entry.name: one.data for one in read(content)}


@needs_zip
def test_links_and_encrypted_files_of_zip(tmp_path: Path) -> None:
    assert ZIP is not None
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "secret.txt").write_bytes(TEXT)
    subprocess.run([ZIP, "-qry", "out.zip", "link"], cwd=tmp_path, check=True)
    subprocess.run([ZIP, "-q", "-P", "word", "out.zip", "secret.txt"], cwd=tmp_path, check=True)
    found = read((tmp_path / "out.zip").read_bytes())
    assert {one.entry.name: one.outcome for one in found} == {"link": "not-a-file", "secret.txt": "encrypted"}


@needs_zip
def test_a_split_archive_of_zip(tmp_path: Path) -> None:
    assert ZIP is not None
    (tmp_path / "noise.bin").write_bytes(random.Random(2).randbytes(200_000))
    subprocess.run([ZIP, "-q", "-s", "64k", "out.zip", "noise.bin"], cwd=tmp_path, check=True)
    for segment in ("out.zip", "out.z01"):
        assert examine((tmp_path / segment).read_bytes()) == "multi-disk-archive"
