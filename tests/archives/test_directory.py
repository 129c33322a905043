"""Finding and reading the directory: how many reads it takes, how much memory, how long."""

import io
import struct
import time
import tracemalloc
import zipfile

import pytest

from runtime.worker.archive import ArchiveRejected, Limits, judge, read_directory
from runtime.worker.archive.tail import TAIL_BYTES
from tests.archives.craft import File, archive, end_record
from tests.archives.examine import Memory, examine
from tests.archives.samples import DEFLATE, TEXT


def many(count: int, announced: int | None = None) -> bytes:
    """An archive of `count` empty files, made without a ZIP library so that it takes no time.

    With `announced`, its end record says so many, and there is none of ZIP64.
    """
    out, directory = bytearray(), bytearray()
    for index in range(count):
        file = File(f"data/{index % 100:02d}/file-{index:07d}.json")
        directory += file.central_header(len(out))
        out += file.local_header()
    size, at = len(directory), len(out)
    out += directory
    if announced is not None:
        return bytes(out) + end_record(here=announced, entries=announced, size=size, offset=at)
    out += struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, at)
    out += struct.pack("<4sLQL", b"PK\6\7", 0, at + size, 1)
    out += struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return bytes(out)


def test_one_read_when_the_directory_is_in_the_tail() -> None:
    source = Memory(archive(File("big.bin", bytes(300_000)), File("a.txt", TEXT, 8, DEFLATE)))
    assert [entry.name for entry in read_directory(source, Limits())] == ["big.bin", "a.txt"]
    assert source.reads == [(source.size - TAIL_BYTES, TAIL_BYTES)]


def test_no_read_when_the_caller_has_the_tail() -> None:
    source = Memory(archive(File("big.bin", bytes(300_000))))
    directory = read_directory(source, Limits(), tail=source.content[-TAIL_BYTES:])
    assert (len(directory), source.reads) == (1, [])


def test_two_reads_when_it_is_larger() -> None:
    source = Memory(many(5_000))
    directory = read_directory(source, Limits())
    assert len(directory) == 5_000
    assert [offset for offset, _ in source.reads] == [source.size - TAIL_BYTES, directory.offset]


def test_the_longest_comment_with_zip64() -> None:
    source = Memory(archive(File("a.txt", TEXT), zip64=True, comment=b"PK\5\6" * 16_383))
    directory = read_directory(source, Limits())
    assert (len(directory), directory.zip64) == (1, True)


def test_a_directory_over_the_limit_is_not_read() -> None:
    source = Memory(many(5_000))
    with pytest.raises(Exception, match=r"directory of \d+ bytes, over the limit of 1000"):
        read_directory(source, Limits(max_directory_bytes=1_000))
    assert len(source.reads) == 1


def test_errors_of_the_source_pass_through() -> None:
    class Broken(Memory):
        def read_at(self, offset: int, length: int) -> bytes:
            raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        read_directory(Broken(archive()), Limits())


def test_it_is_a_sequence() -> None:
    directory = read_directory(Memory(many(10)), Limits())
    entries = list(directory)
    assert [entry.index for entry in entries] == list(range(10))
    assert (directory[3], directory[-1], directory[2:5]) == (entries[3], entries[9], entries[2:5])
    assert list(directory.entries(2, 5)) == entries[2:5]
    with pytest.raises(IndexError):
        directory[10]


def test_spans_cover_each_entry_and_no_more_than_that() -> None:
    content = archive(
        File("a.txt", TEXT, local_extra=b"\0\0\0"),
        File("b.txt", TEXT, before=bytes(200_000)),
        File("c.txt", TEXT),
        order=(2, 0, 1),
    )
    directory = read_directory(Memory(content), Limits())
    by_name = {entry.name: directory.span(entry) for entry in directory}
    assert by_name["c.txt"] == (by_name["b.txt"][1], directory.offset)
    # A gap is not fetched beyond what the longest possible local header needs.
    start, end = by_name["a.txt"]
    assert start == 0
    assert end < 70_000


@pytest.mark.parametrize(
    ("count", "announced"),
    [(65_536, 0), (65_537, 1), (70_000, 70_000 & 0xFFFF), (65_536, 0xFFFF), (70_000, 0xFFFF)],
)
def test_more_entries_than_an_end_record_counts(count: int, announced: int) -> None:
    directory = read_directory(Memory(many(count, announced)), Limits())
    assert (len(directory), directory.zip64) == (count, False)
    assert directory.notes == (f"its {count} entries are announced as {announced}",)


@pytest.mark.parametrize(("count", "announced"), [(65_536, 1), (70_000, 70_000 - 65_537), (100, 0xFFFF)])
def test_counts_that_agree_in_no_way(count: int, announced: int) -> None:
    with pytest.raises(ArchiveRejected, match=f"holds {count} entries, its end record says {announced}"):
        read_directory(Memory(many(count, announced)), Limits())


def test_a_hundred_thousand_entries() -> None:
    content = many(100_000)
    started = time.process_time()
    directory = read_directory(Memory(content), Limits())
    judgement = judge(directory, Limits())
    refusals = [judgement.refusal(entry) for entry in directory]
    seconds = time.process_time() - started
    assert refusals == [None] * 100_000
    # 0.6 s on a quiet core; the limit is for anything that grows faster than the directory.
    assert seconds < 6


def test_memory_is_a_little_over_the_directory_itself() -> None:
    source = Memory(many(20_000))
    tracemalloc.start()
    try:
        directory = read_directory(source, Limits())
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(directory) == 20_000
    assert held < 20_000 * 130
    assert peak < 20_000 * 250


def test_archives_of_zipfile() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as writer:
        for index in range(70_000):  # more than an end record can count
            writer.writestr(zipfile.ZipInfo(f"{index}"), b"")
        with writer.open("forced.txt", "w", force_zip64=True) as file:
            file.write(TEXT)
    directory = read_directory(Memory(out.getvalue()), Limits())
    assert (len(directory), directory.zip64) == (70_001, True)
    assert directory[-1].size == len(TEXT)
    assert isinstance(examine(archive(File("a.txt"))), list)


class Sparse:
    """An archive of many GiB of which only the ends exist; the rest is zeros."""

    def __init__(self, size: int, tail: bytes, head: bytes = b"PK\3\4") -> None:
        self.size = size + len(tail)
        self._start, self._tail, self._head = size, tail, head

    def read_at(self, offset: int, length: int) -> bytes:
        stored = {0: self._head, self._start: self._tail}
        out = bytearray(length)
        for at, data in stored.items():
            first, last = max(at, offset), min(at + len(data), offset + length)
            if first < last:
                out[first - offset : last - offset] = data[first - at : last - at]
        return bytes(out)


def modulo(*sizes: int) -> Sparse:
    """As macOS's Archive Utility writes it: all numbers modulo 4 GiB, and no ZIP64."""
    at, directory = 0, b""
    for index, size in enumerate(sizes):
        file = File(f"{index}.bin", central={"packed": size % GIB4, "size": size % GIB4})
        directory += file.central_header(at % GIB4)
        at += 30 + 5 + size + 16
    count = len(sizes)
    end = end_record(here=count, entries=count, size=len(directory), offset=at % GIB4)
    return Sparse(at, directory + end)


GIB4 = 1 << 32


def test_offsets_modulo_4_gib_are_told_from_where_the_entries_lie() -> None:
    sizes = [3 << 30, 2 << 30, 1, (4 << 30) - 2, 5]
    directory = read_directory(modulo(*sizes), Limits())
    at = 0
    for entry, size in zip(directory, sizes, strict=True):
        assert (entry.local_offset, entry.compressed_size) == (at, size)
        at += 30 + 5 + size + 16
    assert "modulo 4 GiB" in directory.notes[0]
    judgement = judge(directory, Limits())
    assert [judgement.refusal(entry) for entry in directory] == [None] * len(sizes)


def test_an_entry_over_4_gib_leaves_the_places_open() -> None:
    with pytest.raises(ArchiveRejected, match="modulo 4 GiB") as rejected:
        read_directory(modulo(10, 5 << 30, 10), Limits())
    assert rejected.value.reason == "invalid-archive"
