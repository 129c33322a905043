"""Going on after an interruption: what is in S3 is not fetched again, inside an entry too."""

import hashlib
import random
import threading
from collections.abc import Callable
from dataclasses import replace
from unittest.mock import Mock

import pytest

from runtime.shared.consumer.cancellation import Cancellation, Cancelled
from runtime.worker.manifest.manifest import Manifest
from runtime.worker.processor import ArchiveProcessor
from runtime.worker.transfer import memory, resume
from runtime.worker.transfer.checkpoints import Checkpoint, Checkpoints
from runtime.worker.transfer.large_entry import _worth_resuming
from runtime.worker.transfer.resumable_sha256 import ResumableSha256
from tests.unit.conftest import until
from tests.unit.worker.conftest import World, zip_of

MIB = 1024 * 1024
BIG = random.Random(7).randbytes(8 * MIB).hex().encode()  # half of it is air, as in most text
PART = 5 * MIB  # as small as S3 takes
ARCHIVES = {
    "stored": zip_of({"big.bin": BIG}, stored=True),
    "deflated": zip_of({"big.bin": BIG}, level=1),
}
# With next to no memory to spare each part is sent as it comes; with plenty it is gathered.
MEMORY = {"streamed": 4 * MIB, "gathered": 256 * MIB}


class Saved:
    """A checkpoint store that outlives the attempts; `on_save` is told after each."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.on_save: Callable[[], None] = lambda: None

    def load(self, name: str) -> bytes | None:
        return self.kept.get(name)

    def save(self, name: str, data: bytes) -> None:
        self.kept[name] = data
        self.on_save()

    def drop(self, name: str) -> None:
        del self.kept[name]

    def only(self) -> tuple[str, Checkpoint]:
        ((name, data),) = self.kept.items()
        checkpoint = Checkpoint.decode(data)
        assert checkpoint is not None
        return name, checkpoint


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> Saved:
    monkeypatch.setattr(resume, "SAVE_EVERY_BYTES", PART)
    monkeypatch.setattr(memory, "PART_BYTES", PART)
    return Saved()


@pytest.fixture
def processor(world: World, request: pytest.FixtureRequest) -> ArchiveProcessor:
    memory_bytes = MEMORY[getattr(request, "param", "streamed")]
    return world.processor(connections_per_archive=1, memory_budget_bytes=memory_bytes)


@pytest.fixture
def ready(world: World, request: pytest.FixtureRequest) -> World:
    world.behaviour.body = ARCHIVES[getattr(request, "param", "deflated")]
    world.seed({"big.bin": BIG})
    return world


def interrupted(world: World, processor: ArchiveProcessor, saved: Saved) -> None:
    """One attempt that is cancelled when something has been saved, three quarters through the payload."""
    cancellation = Cancellation()
    world.behaviour.stall_after = [1 << 40, len(world.behaviour.body) * 3 // 4]
    saved.on_save = lambda: cancellation.set("stopping")
    with pytest.raises(Cancelled):
        processor.process(world.task(), cancellation, checkpoints=Checkpoints(saved))
    saved.on_save = lambda: None
    world.behaviour.requests.clear()


def finished(world: World, processor: ArchiveProcessor, saved: Saved) -> Manifest:
    manifest = processor.process(world.task(), Cancellation(), checkpoints=Checkpoints(saved))
    assert isinstance(manifest, Manifest)
    assert manifest.outcomes == {"uploaded": 1}
    assert world.object(f"exports/{world.job}/big.bin") == BIG
    assert world.uploads() == []
    assert saved.kept == {}
    return manifest


@pytest.mark.parametrize("processor", MEMORY, indirect=True)
@pytest.mark.parametrize("ready", ARCHIVES, indirect=True)
def test_an_entry_resumes_inside(ready: World, processor: ArchiveProcessor, saved: Saved) -> None:
    interrupted(ready, processor, saved)
    assert ready.uploads() == [f"exports/{ready.job}/big.bin"]
    manifest = finished(ready, processor, saved)
    assert manifest.bytes_saved >= len(ready.behaviour.body) * PART // len(BIG) * 0.9
    assert manifest.bytes_fetched <= len(ready.behaviour.body) - manifest.bytes_saved + 200_000


def test_a_stop_keeps_what_was_not_yet_due_to_be_saved(
    ready: World, processor: ArchiveProcessor, saved: Saved, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resume, "SAVE_EVERY_BYTES", 1 << 40)
    cancellation = Cancellation()
    ready.behaviour.stall_after = [1 << 40, len(ready.behaviour.body) * 3 // 4]

    def stop() -> None:
        until(lambda: ready.parts() >= 2)
        cancellation.set("stopping")

    stopping = threading.Thread(target=stop)
    stopping.start()
    with pytest.raises(Cancelled):
        processor.process(ready.task(), cancellation, checkpoints=Checkpoints(saved))
    stopping.join()
    assert saved.only()[1].size >= PART
    assert finished(ready, processor, saved).bytes_saved > 0


@pytest.mark.parametrize(
    ("rate", "size", "worth"),
    [
        (None, 20_000 * MIB, True),  # not known yet
        (None, PART, False),  # one part
        (250_000, 16 * MIB, True),
        (250_000, 20_000 * MIB, True),
        (100 * MIB, 256 * MIB, False),  # read again in seconds
        (100 * MIB, 20_000 * MIB, True),
    ],
)
def test_what_is_quickly_read_again_is_not_resumed(rate: float | None, size: int, worth: bool) -> None:
    transfer = Mock(rate=rate)
    assert _worth_resuming(transfer, Mock(entry=Mock(size=size))) is worth
    transfer.archive.identity.etag = None
    assert not _worth_resuming(transfer, Mock(entry=Mock(size=size)))


def test_without_a_hash_in_the_metadata_too(ready: World, processor: ArchiveProcessor, saved: Saved) -> None:
    ready.seed({"big.bin": BIG}, sha256=None)
    interrupted(ready, processor, saved)
    assert finished(ready, processor, saved).bytes_saved > 0


def test_a_changed_archive_is_begun_anew(ready: World, processor: ArchiveProcessor, saved: Saved) -> None:
    interrupted(ready, processor, saved)
    ready.behaviour.etag = '"another"'
    assert finished(ready, processor, saved).bytes_saved == 0


def _flip(data: bytes) -> bytes:
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]


WRONG: dict[str, Callable[[Checkpoint], Checkpoint]] = {
    "crc32": lambda c: replace(c, reader=replace(c.reader, crc32=1)),
    "sha256": lambda c: replace(c, sha256_state=(ResumableSha256().state() or b"").hex()),
    "place": lambda c: replace(c, reader=replace(c.reader, consumed=c.reader.consumed - 1)),
    "outside": lambda c: replace(c, reader=replace(c.reader, consumed=1 << 50)),
    "header": lambda c: replace(c, reader=replace(c.reader, header_length=c.reader.header_length + 1)),
    "no state": lambda c: replace(c, reader=replace(c.reader, decoder=b"x")),
    "window": lambda c: replace(c, reader=replace(c.reader, decoder=_flip(c.reader.decoder))),
    "archive": lambda c: replace(c, archive='"another"'),
    "entry": lambda c: replace(c, entry_size=c.entry_size + 1),
    "etags": lambda c: replace(c, etags="0" * 64),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("processor", ["gathered"], indirect=True)
def test_a_wrong_checkpoint_costs_only_time(
    ready: World, processor: ArchiveProcessor, saved: Saved, wrong: str
) -> None:
    interrupted(ready, processor, saved)
    name, checkpoint = saved.only()
    saved.kept[name] = WRONG[wrong](checkpoint).encode()
    finished(ready, processor, saved)


def test_an_upload_that_is_gone_is_begun_anew(
    ready: World, processor: ArchiveProcessor, saved: Saved
) -> None:
    interrupted(ready, processor, saved)
    _, checkpoint = saved.only()
    ready.s3.abort_multipart_upload(Bucket=ready.bucket, Key=checkpoint.key, UploadId=checkpoint.upload_id)
    assert finished(ready, processor, saved).bytes_saved == 0


def test_nothing_is_left_of_a_rejected_entry(ready: World, processor: ArchiveProcessor, saved: Saved) -> None:
    ready.seed({"big.bin": BIG}, sha256={"S": "0" * 64})
    manifest = processor.process(ready.task(), Cancellation(), checkpoints=Checkpoints(saved))
    assert isinstance(manifest, Manifest)
    assert manifest.outcomes == {"checksum-mismatch": 1}
    assert ready.uploads() == []
    assert ready.keys("exports/") == []
    assert saved.kept == {}


@pytest.mark.parametrize(
    "data", [b"", b"nonsense", b'{"a": 1}\n', b'{"reader": 1}\n', b"[1]\n", b"\xff\n\xff"]
)
def test_what_another_version_has_saved_is_ignored(data: bytes) -> None:
    saved = Saved()
    saved.load = lambda _name: data  # type: ignore[method-assign, assignment]
    assert Checkpoints(saved).get("key") is None


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
