"""No input makes the reader crash, exceed its limits, or give out a byte that was not verified."""

import struct
import zlib
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.worker.archive.inflate import crc32
from runtime.worker.archive.names import unsafe
from tests.archives import samples
from tests.archives.cases import CASES
from tests.archives.craft import File, archive, descriptor, extra, unicode_extra, zip64_extra
from tests.archives.hostile import LIMITS, check, check_name

BOUNDED = settings(deadline=None, suppress_health_check=list(HealthCheck))
SMALL = sorted((case.content for case in CASES), key=len)

EDGES = (
    0,
    1,
    2,
    7,
    0x7FFF,
    0x8000,
    0xFFFE,
    0xFFFF,
    1 << 31,
    (1 << 32) - 2,
    (1 << 32) - 1,
    1 << 63,
    (1 << 64) - 1,
)
PACKED = (
    (0, samples.TEXT),
    (8, samples.DEFLATE),
    (9, samples.DEFLATE64),
    (12, samples.BZIP2),
    (14, samples.LZMA),
    (93, samples.ZSTANDARD),
)

Mutation = Callable[[bytearray], None]


def _put(at: int, value: bytes) -> Mutation:
    def mutate(content: bytearray) -> None:
        start = at % (len(content) + 1)
        content[start : start + len(value)] = value

    return mutate


def _cut(at: int, length: int) -> Mutation:
    def mutate(content: bytearray) -> None:
        start = at % (len(content) + 1)
        del content[start : start + length]

    return mutate


def _repeat(at: int, length: int, to: int) -> Mutation:
    def mutate(content: bytearray) -> None:
        start = at % (len(content) + 1)
        target = to % (len(content) + 1)
        content[target:target] = content[start : start + length]

    return mutate


PLACES = st.integers(0, 4_000)
NUMBERS = st.sampled_from(
    [(edge & (1 << 8 * width) - 1).to_bytes(width, "little") for edge in EDGES for width in (1, 2, 4, 8)]
)
MUTATIONS: st.SearchStrategy[Mutation] = st.one_of(
    st.builds(_put, PLACES, st.binary(min_size=1, max_size=4)),
    st.builds(_put, PLACES, NUMBERS),
    st.builds(_cut, PLACES, st.integers(1, 60)),
    st.builds(_repeat, PLACES, st.integers(1, 200), PLACES),
)


@settings(BOUNDED, max_examples=1_500)
@given(st.sampled_from(SMALL), st.lists(MUTATIONS, min_size=1, max_size=4), st.integers(1, 200))
def test_a_corpus_file_damaged_at_random(content: bytes, mutations: list[Mutation], piece: int) -> None:
    damaged = bytearray(content)
    for mutate in mutations:
        mutate(damaged)
    check(bytes(damaged), piece)


# Strategies are made once: inside a drawing function hypothesis would check them anew at every draw.
ODD_NAMES = ("a.txt", "A.txt", "a/b", "a\\b", "a/", "../x", "", "c:x", "\u00e9", "e\u0301", "a\0", "/a")
NAMES = st.one_of(
    st.sampled_from(ODD_NAMES), st.text(st.characters(codec="utf-8"), max_size=8), st.binary(max_size=8)
)


def number(bits: int) -> st.SearchStrategy[int]:
    return st.one_of(st.sampled_from([edge & (1 << bits) - 1 for edge in EDGES]), st.integers(0, 500))


OVERRIDES = st.one_of(
    st.just({}),
    st.just({}),
    st.fixed_dictionaries({"flags": number(16)}),
    st.fixed_dictionaries({"method": number(16)}),
    st.fixed_dictionaries({"crc": number(32)}),
    st.fixed_dictionaries({"packed": number(32)}),
    st.fixed_dictionaries({"size": number(32)}),
    st.fixed_dictionaries({"offset": number(32)}),
    st.fixed_dictionaries({"size": number(32), "packed": number(32), "offset": number(32)}),
    st.fixed_dictionaries({"name": st.binary(max_size=8)}),
    st.fixed_dictionaries({"disk": st.integers(0, 2)}),
)
EXTRAS = st.one_of(
    st.just(b""),
    st.builds(zip64_extra, st.sampled_from(EDGES), st.integers(0, 500)),
    st.builds(unicode_extra, st.sampled_from([b"a.txt", b"x"]), st.binary(max_size=8)),
    st.builds(extra, st.integers(0, 0xFFFF), st.binary(max_size=8)),
    st.binary(max_size=6),
)


def _file(name: str | bytes, packed: tuple[int, bytes], tail: tuple[bool, bool, bool], **rest: Any) -> File:
    method, body = packed
    has_tail, signature, wide = tail
    rest["descriptor"] = (
        descriptor(samples.TEXT, len(body), signature=signature, wide=wide) if has_tail else None
    )
    return File(name, samples.TEXT, method, body + rest.pop("garbage"), **rest)


FILES = st.builds(
    _file,
    NAMES,
    st.sampled_from(PACKED),
    st.tuples(st.booleans(), st.booleans(), st.booleans()),
    garbage=st.sampled_from([b"", b"", b"", b"?"]),
    flags=st.sampled_from([0, 0, 0, 2, 1, 8, 0x41, 0x800]),
    mode=st.sampled_from([0o100644, 0o100644, 0o120777, 0, 0o040755]),
    extra=EXTRAS,
    local_extra=EXTRAS,
    before=st.sampled_from([b"", b"", b"PK\3\4", b"gap"]),
    central=OVERRIDES,
    local=OVERRIDES,
)
ENDS = st.dictionaries(
    st.sampled_from(["entries", "here", "size", "offset", "disk", "entries64", "size64", "offset64", "at64"]),
    st.integers(0, 600),
    max_size=2,
)


@settings(BOUNDED, max_examples=800)
@given(
    st.lists(FILES, max_size=3),
    ENDS,
    st.booleans(),
    st.sampled_from([b"", b"", b"x", b"PK\5\6"]),
    st.integers(1, 500),
)
def test_an_archive_put_together_from_odd_parts(
    parts: list[File], end: dict[str, int], zip64: bool, comment: bytes, piece: int
) -> None:
    options: dict[str, Any] = dict(end)
    check(archive(*parts, zip64=zip64, comment=comment, **options), piece)


@settings(BOUNDED, max_examples=600)
@given(st.binary(max_size=300), st.sampled_from([8, 9, 12, 14, 93]), st.integers(0, 2_000))
def test_any_bytes_as_compressed_data(packed: bytes, method: int, size: int) -> None:
    head = struct.pack("<2BHBL", 9, 20, 5, 93, 1 << 16) if method == 14 else b""
    content = archive(File("a.bin", b"", method, head + packed, central={"size": size}, local={"size": size}))
    check(content)


@settings(BOUNDED, max_examples=500)
@given(st.text(st.one_of(st.sampled_from("./\\:\0\n"), st.characters(codec="utf-8")), max_size=12))
def test_a_name_that_passes_is_fit_for_a_key(name: str) -> None:
    name = name.replace("\\", "/")
    if unsafe(name, LIMITS) is None and not name.endswith("/"):
        check_name(name)


@settings(BOUNDED, max_examples=100)
@given(st.binary(max_size=2_000), st.integers(0, 2_000))
def test_the_crc_is_zlib_s(data: bytes, cut: int) -> None:
    assert crc32(data[cut:], crc32(data[:cut])) == zlib.crc32(data)
