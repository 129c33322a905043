"""Going on after an interruption: what is in S3 is not fetched again, inside a stored entry too."""

import hashlib
import random

import pytest

from runtime.shared.consumer.cancellation import Cancellation, Cancelled
from runtime.worker.manifest.manifest import Manifest
from runtime.worker.processor import ArchiveProcessor
from runtime.worker.transfer import resume
from runtime.worker.transfer.checkpoints import Checkpoints
from runtime.worker.transfer.resumable_sha256 import ResumableSha256
from tests.unit.worker.conftest import World, zip_of

MIB = 1024 * 1024
BIG = random.Random(7).randbytes(24 * MIB)


class Saved:
    """A checkpoint store that outlives the attempts."""

    def __init__(self) -> None:
        self.text = ""

    def open(self) -> Checkpoints:
        return Checkpoints(self.text, self.save)

    def save(self, text: str) -> None:
        self.text = text


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> Saved:
    monkeypatch.setattr(resume, "SAVE_EVERY_BYTES", 5 * MIB)
    return Saved()


def processor(world: World) -> ArchiveProcessor:
    # So little memory that parts are as small as S3 takes.
    return world.processor(connections_per_archive=1, memory_budget_bytes=24 * MIB)


def interrupted(world: World, saved: Saved, at: int) -> None:
    """One attempt that is cancelled once the server has sent `at` bytes of the payload."""
    cancellation = Cancellation()
    world.behaviour.stall_after = [1 << 40, at]
    checkpoints = Checkpoints(saved.text, lambda text: (saved.save(text), cancellation.set("stopping"))[0])
    with pytest.raises(Cancelled):
        processor(world).process(world.task(), cancellation, checkpoints=checkpoints)
    world.behaviour.requests.clear()


@pytest.fixture
def ready(world: World) -> World:
    world.behaviour.body = zip_of({"big.bin": BIG}, stored=True)
    world.seed({"big.bin": BIG})
    return world


def finished(world: World, saved: Saved) -> Manifest:
    manifest = processor(world).process(world.task(), Cancellation(), checkpoints=saved.open())
    assert isinstance(manifest, Manifest)
    assert world.object(f"exports/{world.job}/big.bin") == BIG
    assert world.uploads() == []
    assert saved.text == "[]"
    return manifest


def test_a_stored_entry_resumes_inside(ready: World, saved: Saved) -> None:
    interrupted(ready, saved, 18 * MIB)
    assert ready.uploads() == [f"exports/{ready.job}/big.bin"]
    manifest = finished(ready, saved)
    assert manifest.bytes_saved >= 5 * MIB
    assert manifest.bytes_fetched <= len(BIG) - manifest.bytes_saved + 200_000


def test_without_a_hash_in_the_metadata_too(ready: World, saved: Saved) -> None:
    ready.seed({"big.bin": BIG}, sha256=None)
    interrupted(ready, saved, 18 * MIB)
    assert finished(ready, saved).bytes_saved >= 5 * MIB


def test_a_changed_archive_is_not_gone_on_with(ready: World, saved: Saved) -> None:
    interrupted(ready, saved, 18 * MIB)
    ready.behaviour.etag = '"another"'
    assert finished(ready, saved).bytes_saved == 0


@pytest.mark.parametrize("wrong", ["crc32", "sha256_state"])
def test_a_wrong_checkpoint_costs_only_time(ready: World, saved: Saved, wrong: str) -> None:
    interrupted(ready, saved, 18 * MIB)
    checkpoints = saved.open()
    (checkpoint,) = checkpoints.all()
    changed = {"crc32": 1, "sha256_state": (ResumableSha256().state() or b"").hex()}[wrong]
    object.__setattr__(checkpoint, wrong, changed)
    checkpoints.put(checkpoint)
    assert finished(ready, saved).outcomes == {"uploaded": 1}


def test_an_upload_that_is_gone_is_begun_anew(ready: World, saved: Saved) -> None:
    interrupted(ready, saved, 18 * MIB)
    (checkpoint,) = saved.open().all()
    ready.s3.abort_multipart_upload(Bucket=ready.bucket, Key=checkpoint.key, UploadId=checkpoint.upload_id)
    assert finished(ready, saved).bytes_saved == 0


def test_nothing_is_left_of_a_rejected_entry(ready: World, saved: Saved) -> None:
    ready.seed({"big.bin": BIG}, sha256={"S": "0" * 64})
    manifest = processor(ready).process(ready.task(), Cancellation(), checkpoints=saved.open())
    assert isinstance(manifest, Manifest)
    assert manifest.outcomes == {"checksum-mismatch": 1}
    assert ready.uploads() == []
    assert ready.keys("exports/") == []
    assert saved.text == "[]"


def test_checkpoints_of_another_version_are_ignored() -> None:
    for text in ("", "nonsense", '{"a": 1}', '[{"key": "k"}]', "[1]"):
        assert Checkpoints(text).all() == []


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 1_000_000])
def test_sha256_goes_on_from_its_state(size: int) -> None:
    data = BIG[:size]
    first = ResumableSha256()
    first.update(memoryview(bytearray(data)))
    second = ResumableSha256(first.state())
    second.update(b"tail")
    second.update(memoryview(b"!"))
    assert second.hexdigest() == hashlib.sha256(data + b"tail!").hexdigest()
    assert first.hexdigest() == hashlib.sha256(data).hexdigest()
