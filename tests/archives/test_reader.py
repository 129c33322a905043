"""Reading one entry: bounded memory, entering in the middle, and the ways in which it can be misused."""

import bz2
import dataclasses
import lzma
import random
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from importlib import import_module

import inflate64
import pytest

from runtime.worker.archive import (
    Directory,
    Entry,
    EntryReader,
    EntryRejected,
    Limits,
    ReaderState,
    read_directory,
    read_entry,
)
from runtime.worker.archive import decoders as decoders_module
from runtime.worker.archive.decoders import zstd  # type: ignore[attr-defined]  # one of two modules
from runtime.worker.archive.inflate import Inflater, ZlibInflater
from runtime.worker.archive.resumable_inflate import RESUMABLE
from tests.archives.cases import CASES
from tests.archives.craft import File, archive, descriptor
from tests.archives.examine import Memory, examine
from tests.archives.samples import TEXT

MIB = 1024 * 1024
ANY = Limits(max_ratio=1e9)


def opened(content: bytes) -> tuple[Directory, Entry, memoryview]:
    directory = read_directory(Memory(content), ANY)
    start, end = directory.span(directory[0])
    return directory, directory[0], memoryview(content)[start:end]


def deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def deflate64(data: bytes) -> bytes:
    packer = inflate64.Deflater()
    return bytes(packer.deflate(data) + packer.flush())


def zip_lzma(data: bytes) -> bytes:
    packer = lzma.LZMACompressor(lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 20}])
    return struct.pack("<2BHBL", 9, 20, 5, 93, 1 << 20) + packer.compress(data) + packer.flush()


PACKERS: dict[int, Callable[[bytes], bytes]] = {
    8: deflate,
    9: deflate64,
    12: bz2.compress,
    14: zip_lzma,
    93: zstd.compress,
}


def mixed(size: int) -> bytes:
    """Lines that repeat themselves and bytes that do not."""
    rng = random.Random(size)
    out = bytearray()
    while len(out) < size:
        out += rng.randbytes(rng.randrange(200)) + TEXT[: rng.randrange(len(TEXT))] * rng.randrange(30)
    return bytes(out[:size])


@pytest.mark.parametrize("method", [0, *PACKERS])
@pytest.mark.parametrize("piece", [1_000, 300_000, 1 << 30])
def test_every_method_over_several_steps(method: int, piece: int) -> None:
    data = mixed(MIB + MIB // 2 + 7)
    packed = PACKERS[method](data) if method else data
    flags = 2 if method == 14 else 0
    tail = descriptor(data, len(packed))
    content = archive(File("a.bin", data, method, packed, flags, descriptor=tail))
    found = examine(content, ANY, piece)
    assert isinstance(found, list)
    assert found[0].data == data


@pytest.mark.parametrize("method", PACKERS)
def test_a_bomb_is_read_in_steps(method: int) -> None:
    size = 48 * MIB
    packed = PACKERS[method](bytes(size))
    flags = 2 if method == 14 else 0
    content = archive(File("a.bin", b"", method, packed, flags, central={"size": size}, local={"size": size}))
    _, entry, span = opened(content)
    reader = EntryReader(entry, ANY)
    tracemalloc.start()
    try:
        with pytest.raises(EntryRejected, match="CRC-32"):
            assert max(map(len, reader.feed(span))) <= 5 * MIB
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert reader.produced == size
    # Decoders that keep their history in Python's memory included.
    assert peak < 16 * MIB


def test_more_than_announced_is_stopped_at_once() -> None:
    packed = deflate(bytes(48 * MIB))
    content = archive(File("a.bin", b"", 8, packed, central={"size": 1_000}, local={"size": 1_000}))
    _, entry, span = opened(content)
    reader = EntryReader(entry, ANY)
    with pytest.raises(EntryRejected, match="more than the 1000 bytes"):
        list(reader.feed(span))


METHODS = {"stored": (0, lambda data: data), "deflated": (8, deflate)}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("boundary", [1, 70_000, 700_001])
def test_an_entry_is_entered_in_the_middle(method: str, boundary: int) -> None:
    number, pack = METHODS[method]
    data = mixed(MIB)
    _, entry, span = opened(archive(File("a.bin", data, number, pack(data), local_extra=b"\0" * 3)))
    first = EntryReader(entry, Limits(), resumable=True)
    first.boundary = boundary
    done, state = b"", None
    for at in range(0, len(span), 65_536):
        for chunk in first.feed(span[at : at + 65_536]):
            done += chunk
            if len(done) == boundary:
                state = first.state()
                break
        if state is not None:
            break
    assert state is not None
    assert state.produced == boundary
    second = EntryReader(entry, Limits(), resumable=True)
    second.resume(state)
    rest = b"".join(second.feed(span[state.offset :]))
    second.close()
    assert done + rest == data


def test_no_chunk_crosses_the_boundary_however_the_bytes_come() -> None:
    data = mixed(MIB)
    for number, pack in METHODS.values():
        _, entry, span = opened(archive(File("a.bin", data, number, pack(data))))
        reader = EntryReader(entry, Limits(), resumable=True)
        reader.boundary, ends, out = 100_000, set(), b""
        for at in range(0, len(span), 9_999):
            for chunk in reader.feed(span[at : at + 9_999]):
                out += chunk
                if len(out) == reader.boundary:
                    ends.add(len(out))
                    reader.boundary += 100_000
        assert out == data
        assert ends == set(range(100_000, MIB, 100_000))


def test_it_is_entered_in_the_middle_with_the_wrong_crc() -> None:
    data = mixed(10_000)
    _, entry, span = opened(archive(File("a.bin", data)))
    reader = EntryReader(entry, Limits(), resumable=True)
    reader.resume(ReaderState(header_length=35, consumed=5_000, produced=5_000, crc32=1))
    with pytest.raises(EntryRejected, match="CRC-32"):
        list(reader.feed(span[35 + 5_000 :]))


IN_THE_MIDDLE = ReaderState(header_length=35, consumed=10, produced=10, crc32=1)


@pytest.mark.parametrize(
    ("method", "state", "resumable"),
    [
        ("stored", IN_THE_MIDDLE, False),
        ("stored", dataclasses.replace(IN_THE_MIDDLE, produced=11), True),
        ("stored", dataclasses.replace(IN_THE_MIDDLE, produced=1 << 40, consumed=1 << 40), True),
        ("stored", dataclasses.replace(IN_THE_MIDDLE, produced=-1, consumed=-1), True),
        ("stored", dataclasses.replace(IN_THE_MIDDLE, header_length=29), True),
        ("deflated", dataclasses.replace(IN_THE_MIDDLE, decoder=b"not a state"), True),
        ("deflated", dataclasses.replace(IN_THE_MIDDLE, decoder=zlib.compress(b"too short")), True),
    ],
)
def test_what_is_no_place_inside_an_entry_is_not_entered(
    method: str, state: ReaderState, resumable: bool
) -> None:
    number, pack = METHODS[method]
    _, entry, _ = opened(archive(File("a.bin", TEXT, number, pack(TEXT))))
    with pytest.raises(ValueError, match=r"place inside|resumable|own|state"):
        EntryReader(entry, Limits(), resumable=resumable).resume(state)


def test_the_image_s_inflate_can_be_resumed() -> None:
    assert RESUMABLE or Inflater is ZlibInflater


def test_a_reader_that_has_begun_is_not_resumed() -> None:
    _, entry, span = opened(archive(File("a.bin", TEXT)))
    reader = EntryReader(entry, Limits(), resumable=True)
    list(reader.feed(span[:20]))
    with pytest.raises(ValueError, match="nothing was read"):
        reader.resume(IN_THE_MIDDLE)


def test_bytes_that_do_not_come() -> None:
    data = deflate(TEXT)
    _, entry, span = opened(archive(File("a.bin", TEXT, 8, data, descriptor=descriptor(TEXT, len(data)))))
    for length in range(len(span) - 1):
        reader = EntryReader(entry, Limits())
        list(reader.feed(span[:length]))
        with pytest.raises(EntryRejected):
            reader.close()
        with pytest.raises(EntryRejected):
            read_entry(entry, span[:length], Limits())


def test_bytes_behind_the_entry_are_not_looked_at() -> None:
    _, entry, span = opened(archive(File("a.bin", TEXT)))
    reader = EntryReader(entry, Limits())
    assert b"".join(reader.feed(bytes(span) + b"PK and anything")) == TEXT
    assert list(reader.feed(b"more")) == []
    reader.close()


def test_limits_hold_without_a_verdict_too() -> None:
    _, entry, span = opened(archive(File("a.bin", TEXT)))
    limits = Limits(max_entry_bytes=10)
    with pytest.raises(EntryRejected, match="over the limit of 10"):
        EntryReader(entry, limits)
    with pytest.raises(EntryRejected, match="over the limit of 10"):
        read_entry(entry, span, limits)
    with pytest.raises(EntryRejected, match="PPMd"):
        EntryReader(entry._replace(method=98), Limits())


def test_zlib_stands_in_where_isal_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    if Inflater is ZlibInflater:
        pytest.skip("isal has no wheel here: every other test runs on zlib")
    with_isal = [examine(case.content, case.limits) for case in CASES]
    monkeypatch.setattr(decoders_module, "Inflater", ZlibInflater)
    monkeypatch.setattr(import_module("runtime.worker.archive.read_entry"), "Inflater", ZlibInflater)
    for case, expected in zip(CASES, with_isal, strict=True):
        found = examine(case.content, case.limits, piece=5)
        if isinstance(expected, list):
            assert isinstance(found, list)
            assert [(one.outcome, one.data) for one in found] == [(one.outcome, one.data) for one in expected]
    data = mixed(5 * MIB)
    found = examine(archive(File("a.bin", data, 8, deflate(data))), ANY, 100_000)
    assert isinstance(found, list)
    assert found[0].data == data
