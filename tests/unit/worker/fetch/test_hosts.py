"""The circuits of download hosts, against a server that can be in trouble."""

from contextlib import suppress

import pytest

from runtime.shared.circuits import CircuitOpen
from runtime.shared.consumer import Cancellation
from runtime.worker.fetch.errors import DownloadFailed
from runtime.worker.fetch.hosts import DownloadHosts
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
        with suppress(DownloadFailed), hosts.call("https://files.example.com/x"):
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
        with hosts.call(url):
            pass
    assert hosts.need(frozenset(away), with_credentials=lambda url: "//own/" in url) is needed
