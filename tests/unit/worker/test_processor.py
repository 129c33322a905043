"""One archive through the real path: a loopback archive server, moto's S3 and DynamoDB."""

import json
import random

from runtime.shared.consumer.cancellation import Cancellation
from runtime.worker.manifest.manifest import Manifest
from tests.unit.worker.conftest import World, zip_of


def lines(world: World) -> dict[str, dict[str, object]]:
    text = world.object(f"manifests/{world.job}/file-1.entries.jsonl").decode()
    return {line["path"]: line for line in map(json.loads, text.splitlines())}


def random_files(seed: int) -> dict[str, bytes]:
    numbers = random.Random(seed)
    files = {f"small/{i:03}.json": numbers.randbytes(numbers.randrange(0, 20_000)) * 2 for i in range(60)}
    files["empty.txt"] = b""
    files["medium.bin"] = numbers.randbytes(1_500_000)
    files["large.bin"] = numbers.randbytes(4_000_000) * 5
    return files


def test_everything_that_matches_is_in_s3_unaltered(world: World, cancellation: Cancellation) -> None:
    files = random_files(1)
    world.behaviour.body = zip_of(files)
    world.seed(files)
    manifest = world.processor().process(world.task(), cancellation)
    assert isinstance(manifest, Manifest)
    assert manifest.outcomes == {"uploaded": len(files)}
    for name, data in files.items():
        assert world.object(f"exports/{world.job}/{name}") == data, name
    assert world.uploads() == []
    assert lines(world)["large.bin"]["outcome"] == "uploaded"
    stored = json.loads(world.object(f"manifests/{world.job}/file-1.json"))
    assert stored["bytes_fetched"] == manifest.bytes_fetched <= len(world.behaviour.body) * 1.1


def test_one_long_entry_comes_over_several_connections(world: World, cancellation: Cancellation) -> None:
    big = random.Random(2).randbytes(30_000_000)
    files = {"first.txt": b"x" * 1000, "big.bin": big, "last.txt": b"y" * 1000}
    world.behaviour.body = zip_of(files, stored=True)
    world.seed(files)
    world.behaviour.drop_after = [1 << 40, 1 << 40, 1_000_000, 2_000_000]
    manifest = world.processor().process(world.task(), cancellation)
    assert isinstance(manifest, Manifest)
    assert manifest.outcomes == {"uploaded": 3}
    for name, data in files.items():
        assert world.object(f"exports/{world.job}/{name}") == data, name
    starts = [int(request["range"].split("=")[1].split("-")[0] or -1) for request in world.behaviour.requests]
    assert len([start for start in starts if start > 0]) >= 8
    assert manifest.bytes_fetched <= len(world.behaviour.body) + 65_557
