"""What the metadata and the bucket say decides what is fetched."""

import hashlib
import io
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from runtime.shared.consumer.cancellation import Cancellation
from runtime.shared.contracts import EntryOutcome
from runtime.worker.manifest.manifest import Manifest
from tests.unit.worker.conftest import World, zip_of
from tests.unit.worker.test_processor import lines

DATA = b"some data " * 50


def process(world: World, **settings: object) -> Manifest:
    manifest = world.processor(**settings).process(world.task(), Cancellation())
    assert isinstance(manifest, Manifest)
    return manifest


def test_each_way_not_to_match_has_its_outcome(world: World) -> None:
    size, sha256 = {"N": str(len(DATA))}, {"S": hashlib.sha256(DATA).hexdigest()}
    cases: dict[str, tuple[EntryOutcome, dict[str, object] | None]] = {
        "missing": (EntryOutcome.NO_METADATA, None),
        "size": (EntryOutcome.SIZE_MISMATCH, {"size": {"N": "1"}, "sha256": sha256}),
        "hash": (EntryOutcome.CHECKSUM_MISMATCH, {"size": size, "sha256": {"S": "0" * 64}}),
        "no-size": (EntryOutcome.INVALID_METADATA, {"sha256": sha256}),
        "size-text": (EntryOutcome.INVALID_METADATA, {"size": {"S": "500"}}),
        "size-fraction": (EntryOutcome.INVALID_METADATA, {"size": {"N": "1.5"}}),
        "size-negative": (EntryOutcome.INVALID_METADATA, {"size": {"N": "-1"}}),
        "hash-number": (EntryOutcome.INVALID_METADATA, {"size": size, "sha256": {"N": "1"}}),
        "hash-short": (EntryOutcome.INVALID_METADATA, {"size": size, "sha256": {"S": "abc"}}),
        "type-list": (EntryOutcome.INVALID_METADATA, {"size": size, "content_type": {"L": []}}),
        "type-split": (EntryOutcome.INVALID_METADATA, {"size": size, "content_type": {"S": "a\r\nb: c"}}),
        "key-number": (EntryOutcome.INVALID_METADATA, {"size": size, "destination_key": {"N": "1"}}),
        "key-outside": (
            EntryOutcome.DESTINATION_NOT_ALLOWED,
            {"size": size, "destination_key": {"S": "manifests/x"}},
        ),
        "key-climbs": (
            EntryOutcome.DESTINATION_NOT_ALLOWED,
            {"size": size, "destination_key": {"S": "exports/../x"}},
        ),
        "crc-only": (EntryOutcome.UPLOADED, {"size": size}),
        "upper-hash": (EntryOutcome.UPLOADED, {"size": size, "sha256": {"S": sha256["S"].upper()}}),
        "null-hash": (EntryOutcome.UPLOADED, {"size": size, "sha256": {"NULL": True}}),
        "elsewhere": (
            EntryOutcome.UPLOADED,
            {
                "size": size,
                "sha256": sha256,
                "destination_key": {"S": "exports/other/ü x.json"},
                "content_type": {"S": "application/json"},
            },
        ),
        "same-key": (
            EntryOutcome.NAME_COLLISION,
            {"size": size, "destination_key": {"S": "exports/other/ü x.json"}},
        ),
    }
    world.behaviour.body = zip_of(dict.fromkeys(cases, DATA))
    for name, (_, item) in cases.items():
        if item is not None:
            world.seed_item(name, item)
    process(world)
    found = {name: line["outcome"] for name, line in lines(world).items()}
    assert found == {name: outcome for name, (outcome, _) in cases.items()}
    uploaded = {name for name, (outcome, _) in cases.items() if outcome is EntryOutcome.UPLOADED}
    plain = {f"exports/{world.job}/{name}" for name in uploaded - {"elsewhere"}}
    assert set(world.keys("exports/")) == {*plain, "exports/other/ü x.json"}
    head = world.s3.head_object(Bucket=world.bucket, Key="exports/other/ü x.json", ChecksumMode="ENABLED")
    assert head["ContentType"] == "application/json"
    assert head["Metadata"] == {
        "export-job-id": world.job,
        "file-id": "file-1",
        "correlation-id": "corr-1",
        "sha256": sha256["S"],
    }
    assert "ChecksumCRC32" in head


def test_folders_are_not_files(world: World) -> None:
    files = {"folder/": b"", "folder/one": DATA}
    world.behaviour.body = zip_of(files)
    world.seed({"folder/one": DATA})
    assert process(world).outcomes == {"uploaded": 1}
    assert set(lines(world)) == {"folder/one"}


def test_only_what_can_match_is_fetched(world: World) -> None:
    wanted = {f"wanted/{i}": bytes([i]) * 5_000 for i in range(5)}
    unwanted = {f"unwanted/{i}": bytes([i]) * 500_000 for i in range(20)}
    names = sorted({**wanted, **unwanted}, key=lambda name: hashlib.md5(name.encode()).digest())
    world.behaviour.body = zip_of({name: {**wanted, **unwanted}[name] for name in names}, stored=True)
    world.seed(wanted)
    manifest = process(world)
    assert manifest.outcomes == {"no-metadata": 20, "uploaded": 5}
    assert manifest.bytes_fetched < 65_557 + 2 * 25_000 + 1_000


def test_a_second_run_fetches_only_the_directory(world: World) -> None:
    files = {f"{i:04}": bytes([i % 251]) * (1_000 + i) for i in range(60)}
    world.behaviour.body = zip_of(files, stored=True)
    world.seed(files)
    process(world)
    world.s3.delete_object(Bucket=world.bucket, Key=f"exports/{world.job}/0007")
    world.s3.put_object(
        Bucket=world.bucket, Key=f"exports/{world.job}/0008", Body=bytes(1_008), ChecksumAlgorithm="CRC32"
    )
    second = process(world)
    assert second.outcomes == {"already-present": 58, "uploaded": 2}
    assert second.bytes_saved == sum(
        len(data) for name, data in files.items() if name not in {"0007", "0008"}
    )
    for name, data in files.items():
        assert world.object(f"exports/{world.job}/{name}") == data
    assert process(world).outcomes == {"already-present": 60}


def test_ids_and_names_beyond_ascii_survive(world: World) -> None:
    world.job = "jöb-✓"
    files = {"ordner/grüße €.txt": DATA, "a b+c%20&d=e?f#g.txt": DATA + b"1", "日本語.txt": DATA + b"2"}
    world.behaviour.body = zip_of(files)
    world.seed(files)
    manifest = world.processor().process(
        world.task(file_id="fïle", correlation_id="corr ✓", task_id="t"), Cancellation()
    )
    assert isinstance(manifest, Manifest)
    assert manifest.outcomes == {"uploaded": 3}
    for name, data in files.items():
        assert world.object(f"exports/{world.job}/{name}") == data
    head = world.s3.head_object(Bucket=world.bucket, Key=f"exports/{world.job}/日本語.txt")
    assert head["Metadata"]["correlation-id"] == "corr%20%E2%9C%93"


def test_what_is_unusual_is_noted(world: World) -> None:
    world.behaviour.body = zip_of({"./one": DATA, "two": DATA + b"2"}) + b"\r\n"
    world.seed({"one": DATA, "two": DATA + b"2"})
    manifest = process(world)
    assert manifest.outcomes == {"uploaded": 2}
    assert manifest.notes == ("2 bytes follow the end of the archive",)
    assert lines(world)["one"]["note"] == "named './one' in the archive"
    assert "note" not in lines(world)["two"]


def test_an_entry_given_twice_is_one_file(world: World) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as writer:
        writer.writestr("one", DATA)
        with pytest.warns(UserWarning, match="Duplicate name"):
            writer.writestr("one", DATA, zipfile.ZIP_DEFLATED)
    world.behaviour.body = buffer.getvalue()
    world.seed({"one": DATA})
    assert process(world).outcomes == {"uploaded": 1}
    assert "more than once" in str(lines(world)["one"]["note"])


def test_planning_and_transfer_share_a_budget_for_one_without_deadlock(world: World) -> None:
    files = {f"{number:03}": DATA + b"%d" % number for number in range(40)}
    world.behaviour.body = zip_of(files)
    world.seed(files)
    processor = world.processor(memory_budget_bytes=12 << 20, slots=6)
    tasks = [world.task(file_id=f"file-{number}", task_id=f"task-{number}") for number in range(6)]
    with ThreadPoolExecutor(len(tasks)) as pool:
        done = [pool.submit(processor.process, task, Cancellation()) for task in tasks]
        manifests = [future.result(timeout=60) for future in done]
    assert all(isinstance(manifest, Manifest) and manifest.matched == 40 for manifest in manifests)
    assert processor.memory.in_use == 0
    assert processor.scratch.tables.in_use == 0
