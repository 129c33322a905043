"""The circuits of download hosts, against a server that can be in trouble."""

from contextlib import suppress

import pytest

from runtime.shared.circuits import CircuitOpen
from runtime.shared.consumer import Cancellation
from runtime.worker.fetch.errors import DownloadFailed
from runtime.worker.fetch.hosts import DownloadHosts
from runtime.worker.fetch.meter import ByteMeter
from runtime.worker.processor import NoApi
from runtime.worker.wiring import wire_processor
from tests.unit.shared.circuits.fleet import unshared
from tests.unit.worker.conftest import World, zip_of

FILES = {"a.txt": b"a" * 100}
# A Retry-After that no slot waits for makes the download fail at the first answer.
BUSY = (503, {"Retry-After": "600"})


def test_downloads_that_fail_open_their_hosts_circuit_and_the_probe_asks_the_same_again(world: World) -> None:
    world.behaviour.body = zip_of(FILES)
    world.seed(FILES)
    circuits = unshared(failures=2)
    processor = wire_processor(world.settings(), world.clients, NoApi(), circuits)
    try:
        for _ in range(2):
            world.behaviour.statuses.append(BUSY)
            with pytest.raises(DownloadFailed):
                processor.process(world.task(), Cancellation())
        asked = len(world.behaviour.requests)
        with pytest.raises(CircuitOpen):
            processor.process(world.task(), Cancellation())
        assert len(world.behaviour.requests) == asked
        (dependency,) = circuits.view
        assert dependency == "download:127.0.0.1"

        kind = circuits.kind_of(dependency)
        assert kind is not None
        for status in (500, 503, 429):
            world.behaviour.statuses.append((status, {}))
            with pytest.raises(DownloadFailed) as trouble:
                kind.probe(dependency)
            assert kind.counts(trouble.value)
        for status in (403, 404, 416):
            world.behaviour.statuses.append((status, {}))
            kind.probe(dependency)
        kind.probe(dependency)
        last = world.behaviour.requests[-1]
        assert (last["path"], last["range"]) == ("/download/file-1", "bytes=0-0")
    finally:
        processor.close()


def test_one_archives_own_trouble_says_nothing_of_its_host() -> None:
    circuits = unshared(failures=1)
    hosts = DownloadHosts(circuits, None)  # type: ignore[arg-type]
    for of_host in (False, True):
        assert not circuits.view
        with suppress(DownloadFailed), hosts.call("https://files.example.com/x", ByteMeter(nothing)):
            raise DownloadFailed("404, even to a fresh download URL", of_host=of_host)
    assert set(circuits.view) == {"download:files.example.com"}


@pytest.mark.parametrize(
    ("used", "away", "needed"),
    [
        ((), {"secret"}, False),
        ((), {"download:a"}, True),
        (("https://a/1",), {"download:a"}, True),
        (("https://a/1",), {"download:b", "status"}, False),
        (("https://a/1", "https://b/1"), {"download:a"}, False),
        (("https://a/1", "https://b/1"), {"download:a", "download:b"}, True),
        # The API's own host wants the secret, the other does not.
        (("https://own/1",), {"secret"}, True),
        (("https://own/1", "https://a/1"), {"secret"}, False),
        (("https://own/1", "https://a/1"), {"secret", "download:a"}, True),
    ],
)
def test_polling_is_paused_when_nothing_that_was_used_can_be_reached(
    used: tuple[str, ...], away: set[str], needed: bool
) -> None:
    hosts = DownloadHosts(unshared(), None)  # type: ignore[arg-type]
    for url in used:
        with hosts.call(url, ByteMeter(nothing)):
            pass
    assert hosts.need(frozenset(away), with_credentials=lambda url: "//own/" in url) is needed


def test_each_hosts_bytes_and_failures_are_counted_while_they_come() -> None:
    hosts = DownloadHosts(None, None)  # type: ignore[arg-type]
    going = ByteMeter(nothing)
    with hosts.call("https://A.example/1", going):
        going.add(70)
        assert hosts.totals() == {"a.example": (70, 0)}
        with suppress(DownloadFailed), hosts.call("https://b.example/2", ByteMeter(nothing)):
            raise DownloadFailed("503")
        with suppress(DownloadFailed), hosts.call("https://b.example/3", ByteMeter(nothing)):
            raise DownloadFailed("404, even to a fresh download URL", of_host=False)
        going.add(7)
    assert hosts.totals() == {"a.example": (77, 0), "b.example": (0, 1)}


def test_a_thousand_hosts_are_counted_in_bounded_memory() -> None:
    hosts = DownloadHosts(None, None)  # type: ignore[arg-type]
    for number in range(1_000):
        meter = ByteMeter(nothing)
        with hosts.call(f"https://h{number}.example/", meter):
            meter.add(1)
    totals = hosts.totals()
    assert len(totals) == 101
    assert sum(total.bytes for total in totals.values()) == 1_000


def nothing() -> None:
    """Nobody listens to these meters."""
