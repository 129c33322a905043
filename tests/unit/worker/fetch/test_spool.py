"""The scratch disk: taken before it is written, given back whatever happens, spooled again in place."""

from pathlib import Path

import pytest

from runtime.shared.consumer.cancellation import Cancellation
from runtime.shared.scope import Scope
from runtime.worker.fetch.errors import ArchiveChanged, DownloadFailed, NoScratchSpace
from runtime.worker.fetch.guard import HostGuard
from runtime.worker.fetch.locator import Locator
from runtime.worker.fetch.meter import ByteMeter
from runtime.worker.fetch.patience import Connector, Patience
from runtime.worker.fetch.spool import Scratch, SpooledArchive, spool_archive
from runtime.worker.fetch.transport import Transport
from tests.unit.worker.servers import ArchiveServer, Behaviour

BODY = bytes(i * 7 % 251 for i in range(700_000))


@pytest.fixture
def behaviour() -> Behaviour:
    return Behaviour(body=BODY, ranges=False)


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    return Scratch(tmp_path / "scratch", 2_000_000)


def spool(server: ArchiveServer, scratch: Scratch) -> SpooledArchive:
    guard = HostGuard(("127.0.0.1",), allow_http=True, allow_private=True)
    connector = Connector(
        transport=Transport(guard, lambda _: {}, timeout_s=5),
        locator=Locator(server.base, "/x", lambda: "/x"),
        meter=ByteMeter(lambda: None),
        scope=Scope(Cancellation()),
        stall_min_bytes_per_s=1,
        stall_window_s=5,
    )
    return spool_archive(connector, scratch, Patience(connector))


def read(archive: SpooledArchive, start: int, stop: int, *, anew: bool = False) -> bytes:
    data = bytearray(stop - start)
    stream = archive.stream_anew(start, stop) if anew else archive.stream(start, stop)
    stream.read_exactly(memoryview(data))
    return bytes(data)


@pytest.mark.parametrize("chunked", [False, True])
def test_what_was_taken_is_given_back_and_leaves_no_name(
    behaviour: Behaviour, scratch: Scratch, chunked: bool
) -> None:
    behaviour.chunked = chunked
    with ArchiveServer(behaviour) as server:
        archive = spool(server, scratch)
    assert list(scratch.directory.iterdir()) == []
    assert scratch.budget.try_acquire(1_900_000) is None
    assert (archive.size, archive.read_at(5, 10), read(archive, 699_990, 700_000)) == (
        len(BODY),
        BODY[5:15],
        BODY[-10:],
    )
    with pytest.raises(DownloadFailed, match="ends before byte"):
        archive.read_at(699_999, 2)
    archive.close()
    grant = scratch.budget.try_acquire(scratch.budget.total)
    assert grant is not None


@pytest.mark.parametrize("chunked", [False, True])
def test_what_does_not_fit_gives_its_room_back(behaviour: Behaviour, tmp_path: Path, chunked: bool) -> None:
    behaviour.chunked = chunked
    scratch = Scratch(tmp_path, 600_000)
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    with ArchiveServer(behaviour) as server, pytest.raises(NoScratchSpace):
        spool(server, scratch)
    assert scratch.budget.try_acquire(scratch.budget.total) is not None
    assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors


def test_bytes_in_doubt_are_spooled_again_until_two_downloads_agree(
    behaviour: Behaviour, scratch: Scratch
) -> None:
    def damage(_: int, data: bytearray) -> None:
        number = len(behaviour.requests)
        if number in (1, 2):
            data[100_000] ^= number  # differently each time

    behaviour.damage = damage
    with ArchiveServer(behaviour) as server:
        archive = spool(server, scratch)
        assert read(archive, 0, 200_000) != BODY[:200_000]
        assert read(archive, 300_000, 400_000, anew=True) == BODY[300_000:400_000]
        assert len(behaviour.requests) == 2
        # Those agree already: no third download for them.
        assert read(archive, 600_000, 700_000, anew=True) == BODY[600_000:]
        assert len(behaviour.requests) == 2
        assert read(archive, 0, 200_000, anew=True) == BODY[:200_000]
        assert read(archive, 0, 200_000, anew=True) == BODY[:200_000]
        assert len(behaviour.requests) == 4
        assert all("cache-control" in request for request in behaviour.requests[1:])
    archive.close()


def test_an_archive_that_never_comes_twice_the_same(behaviour: Behaviour, scratch: Scratch) -> None:
    behaviour.etag = '"same"'

    def damage(_: int, data: bytearray) -> None:
        data[5] = len(behaviour.requests)

    behaviour.damage = damage
    with ArchiveServer(behaviour) as server:
        archive = spool(server, scratch)
        for _ in range(3):
            read(archive, 0, 10, anew=True)
        with pytest.raises(DownloadFailed, match="differently each of 4 times"):
            read(archive, 0, 10, anew=True)
    archive.close()


@pytest.mark.parametrize("other", [BODY[:-1], BODY + b"x", BODY[::-1]], ids=["shorter", "longer", "another"])
@pytest.mark.parametrize("chunked", [False, True])
def test_another_archive_does_not_get_over_the_first(
    behaviour: Behaviour, scratch: Scratch, other: bytes, chunked: bool
) -> None:
    behaviour.chunked = chunked
    with ArchiveServer(behaviour) as server:
        archive = spool(server, scratch)
        behaviour.body = other
        with pytest.raises(ArchiveChanged):
            read(archive, 0, 10, anew=True)
    archive.close()
