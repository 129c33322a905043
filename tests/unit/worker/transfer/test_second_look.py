"""Bytes damaged on the way are fetched again; only what is wrong twice in the same way is the archive's."""

import random
import zipfile
from collections.abc import Callable
from io import BytesIO

import pytest

from runtime.shared.consumer.cancellation import Cancellation
from runtime.shared.contracts import ParkReason
from runtime.worker.archive import ArchiveRejected
from runtime.worker.fetch.errors import DownloadFailed
from runtime.worker.manifest.manifest import Manifest
from tests.unit.worker.conftest import World, zip_of
from tests.unit.worker.test_processor import lines

NUMBERS = random.Random(5)
FILES = {
    **{f"small/{i:02}.bin": NUMBERS.randbytes(3_000) for i in range(6)},
    "large.bin": NUMBERS.randbytes(2_000_000),
}
Damage = Callable[[int, bytearray], None]


def flip(where: int) -> Damage:
    """One bit of the byte at `where` in the archive, in the first answer that holds it."""
    done: list[int] = []

    def damage(start: int, data: bytearray) -> None:
        if start <= where < start + len(data) and not done:
            data[where - start] ^= 0x10
            done.append(start)

    return damage


def zeros(*answers: int) -> Damage:
    """All bytes of the nth answers."""
    count = [0]

    def damage(start: int, data: bytearray) -> None:
        count[0] += 1
        if count[0] in answers:
            data[:] = bytes(len(data))

    return damage


@pytest.fixture
def ready(world: World) -> World:
    world.behaviour.body = zip_of(FILES, stored=True)
    world.seed(FILES)
    return world


def places(body: bytes) -> dict[str, int]:
    """A byte of each kind of record."""
    with zipfile.ZipFile(BytesIO(body)) as archive:
        small, large = archive.getinfo("small/03.bin"), archive.getinfo("large.bin")
        directory = archive.start_dir
    central = body.index(b"PK\x01\x02", directory + 1)
    return {
        "small data": small.header_offset + 100,
        "small local header": small.header_offset + 8,
        "large data": large.header_offset + 1_000_000,
        "large local header": large.header_offset + 1,
        "central CRC-32": central + 16,
        "central size": central + 24,
        "central name": central + 47,
        "central method": central + 10,
        "central signature": central,
        "end record's offset": len(body) - 22 + 17,
        "end record's signature": len(body) - 22,
    }


PLACES = sorted(places(zip_of(FILES, stored=True)))


@pytest.mark.parametrize(
    ("place", "ranges"),
    [(place, True) for place in PLACES]
    + [
        (place, False)
        for place in ("small data", "large data", "central CRC-32", "central name", "central signature")
    ],
)
def test_one_flipped_bit_costs_a_request_and_nothing_else(ready: World, place: str, ranges: bool) -> None:
    ready.behaviour.ranges = ranges
    ready.behaviour.damage = flip(places(ready.behaviour.body)[place])
    check(ready)


@pytest.mark.parametrize("answer", [1, 2, 3])
def test_an_answer_of_zeros(ready: World, answer: int) -> None:
    ready.behaviour.damage = zeros(answer)
    check(ready, connections_per_archive=1)


def test_zeros_again_for_the_entry_that_was_asked_for_again(ready: World) -> None:
    """Two answers in a row, wrong alike: of a small entry that is not yet the archive's own fault."""
    ready.behaviour.damage = zeros(2, 3)
    check(ready, connections_per_archive=1)


def test_a_spooled_answer_of_zeros(ready: World) -> None:
    ready.behaviour.ranges = False
    ready.behaviour.damage = lambda start, data: (
        data.__setitem__(slice(500, 40_000), bytes(39_500)) if len(ready.behaviour.requests) == 2 else None
    )
    check(ready)
    assert list(ready.scratch.iterdir()) == []


def check(world: World, **settings: int) -> None:
    manifest = world.processor(**settings).process(world.task(), Cancellation())
    assert isinstance(manifest, Manifest)
    assert manifest.matched == len(FILES)
    assert manifest.rejected == 0
    for name, data in FILES.items():
        assert world.object(f"exports/{world.job}/{name}") == data, name


def test_doubtful_bytes_are_asked_for_past_caches_on_a_fresh_connection(ready: World) -> None:
    ready.behaviour.damage = flip(places(ready.behaviour.body)["small data"])
    check(ready)
    anew = [request for request in ready.behaviour.requests if "cache-control" in request]
    assert [request["cache-control"] for request in anew] == ["no-cache, no-store"]
    assert "if-range" not in anew[0]
    assert anew[0]["client"] not in [r["client"] for r in ready.behaviour.requests if r is not anew[0]]


@pytest.mark.parametrize("ranges", [True, False], ids=["ranged", "spooled"])
@pytest.mark.parametrize("place", ["small data", "large data"])
def test_what_is_wrong_in_the_archive_is_its_own(ready: World, place: str, ranges: bool) -> None:
    broken = bytearray(ready.behaviour.body)
    broken[places(ready.behaviour.body)[place]] ^= 1
    ready.behaviour.body = bytes(broken)
    ready.behaviour.ranges = ranges
    manifest = ready.processor().process(ready.task(), Cancellation())
    assert isinstance(manifest, Manifest)
    assert manifest.outcomes == {"uploaded": len(FILES) - 1, "corrupt-data": 1}
    name = "large.bin" if place == "large data" else "small/03.bin"
    assert "CRC-32" in str(lines(ready)[name]["detail"])
    assert ready.uploads() == []


def test_entries_without_metadata_alone_spool_nothing_again(ready: World) -> None:
    ready.behaviour.ranges = False
    others = {f"other/{name}": data for name, data in FILES.items()}
    ready.behaviour.body = zip_of({**FILES, **others}, stored=True)
    manifest = ready.processor().process(ready.task(), Cancellation())
    assert isinstance(manifest, Manifest)
    assert manifest.outcomes == {"uploaded": len(FILES), "no-metadata": len(others)}
    assert sum("range" not in request for request in ready.behaviour.requests) == 1


def test_whole_but_not_what_the_metadata_says_is_another_thing(ready: World) -> None:
    ready.seed({"small/03.bin": FILES["small/03.bin"]}, sha256={"S": "0" * 64})
    manifest = ready.processor().process(ready.task(), Cancellation())
    assert isinstance(manifest, Manifest)
    assert manifest.outcomes == {"uploaded": len(FILES) - 1, "checksum-mismatch": 1}


def test_bytes_that_never_come_twice_the_same_are_the_ways_fault(ready: World) -> None:
    where = places(ready.behaviour.body)["small data"]

    def damage(start: int, data: bytearray) -> None:
        if start <= where < start + len(data):
            data[where - start] = NUMBERS.randrange(256)

    ready.behaviour.damage = damage
    with pytest.raises(DownloadFailed, match="different each time"):
        ready.processor().process(ready.task(), Cancellation())


@pytest.mark.parametrize("ranges", [True, False], ids=["ranged", "spooled"])
def test_an_archive_is_refused_only_for_the_same_bytes_twice(ready: World, ranges: bool) -> None:
    ready.behaviour.ranges = ranges
    body = bytearray(ready.behaviour.body)
    body[places(ready.behaviour.body)["central signature"]] ^= 1
    ready.behaviour.body = bytes(body)
    with pytest.raises(ArchiveRejected) as refused:
        ready.processor().process(ready.task(), Cancellation())
    assert refused.value.reason == ParkReason.INVALID_ARCHIVE
    assert any("cache-control" in request for request in ready.behaviour.requests)
