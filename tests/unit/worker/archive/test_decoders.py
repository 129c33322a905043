"""Zstandard as ZIP holds it: any sequence of frames, in pieces of any size, within the window's limit."""

import struct
import zlib

import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.worker.archive import EntryReader, EntryRejected, Limits, read_directory
from tests.archives.craft import File, archive
from tests.archives.examine import Memory

ANY = Limits(max_ratio=1e9)
FRAMES = st.lists(
    st.one_of(
        st.binary(max_size=3_000).map(lambda data: (zstd.compress(data), data)),
        st.binary(max_size=20).map(lambda data: (struct.pack("<2L", 0x184D2A5A, len(data)) + data, b"")),
    ),
    min_size=1,
    max_size=6,
)


def extracted(packed: bytes, data: bytes, piece: int) -> bytes:
    content = archive(File("a.bin", data, 93, packed))
    directory = read_directory(Memory(content), ANY)
    start, stop = directory.span(directory[0])
    reader = EntryReader(directory[0], ANY)
    out = b""
    for at in range(start, stop, piece):
        out += b"".join(
            bytes(chunk) for chunk in reader.feed(memoryview(content)[at : min(stop, at + piece)])
        )
    reader.close()
    return out


@given(FRAMES, st.integers(1, 5_000))
@settings(deadline=None)
def test_frames_one_after_the_other(frames: list[tuple[bytes, bytes]], piece: int) -> None:
    packed, data = (b"".join(parts) for parts in zip(*frames, strict=True))
    assert extracted(packed, data, piece) == data


@pytest.mark.parametrize(
    "rest", [b"?", b"garbage", struct.pack("<2L", 0x184D2A50, 99) + b"short", b"\x28\xb5"]
)
def test_what_is_no_frame_is_corrupt(rest: bytes) -> None:
    with pytest.raises(EntryRejected) as rejected:
        extracted(zstd.compress(b"data") + rest, b"data", 7)
    assert rejected.value.outcome == "corrupt-data"


@pytest.mark.parametrize("window_log", [26, 27, 30])
def test_a_window_over_the_limit_is_said_to_be_that(window_log: int) -> None:
    data = b"x" * 100
    options = {
        int(zstd.CompressionParameter.window_log): window_log,
        int(zstd.CompressionParameter.content_size_flag): 0,
    }
    packer = zstd.ZstdCompressor(options=options)
    packed = packer.compress(data) + packer.flush()
    with pytest.raises(EntryRejected, match="window") as rejected:
        extracted(zstd.compress(b"first") + packed, b"first" + data, 10)
    assert rejected.value.outcome == "limit-exceeded"


def test_many_tiny_frames_do_not_cost_their_square() -> None:
    packed = struct.pack("<2L", 0x184D2A50, 0) * 30_000 + zstd.compress(b"end")
    assert zlib.crc32(extracted(packed, b"end", len(packed))) == zlib.crc32(b"end")
