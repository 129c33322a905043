"""A manifest is written by whoever holds the lease, and by nobody who has lost it."""

import pytest

from runtime.shared.consumer import LeaseLost
from runtime.worker.manifest.publish import Publisher
from tests.unit.worker.conftest import World

KEY = "manifests/job-1/file-1.json"


def holds() -> None:
    """The lease is ours."""


def test_it_writes_and_overwrites(world: World) -> None:
    publisher = Publisher(world.s3, world.bucket)
    for text in (b"one", b"two", b""):
        publisher.publish(KEY, lambda text=text: [text], "text/plain", holds)  # type: ignore[misc]
        assert world.object(KEY) == text
    chunks = [bytes([i]) * 3_000_000 for i in range(8)]
    publisher.publish(KEY, lambda: iter(chunks), "text/plain", holds)
    assert world.object(KEY) == b"".join(chunks)


@pytest.mark.parametrize("size", [10, 9_000_000])
def test_a_zombie_does_not_overwrite_its_successor(world: World, size: int) -> None:
    """It is frozen between its look at the lease and its write, while the successor publishes."""
    publisher = Publisher(world.s3, world.bucket)
    looks = 0

    def fence() -> None:
        nonlocal looks
        looks += 1
        if looks == 1:
            world.s3.put_object(Bucket=world.bucket, Key=KEY, Body=b"successor")
        else:
            raise LeaseLost("taken over")

    with pytest.raises(LeaseLost):
        publisher.publish(KEY, lambda: [bytes(size // 2), bytes(size // 2)] * 2, "text/plain", fence)
    assert world.object(KEY) == b"successor"
    assert world.uploads() == []
