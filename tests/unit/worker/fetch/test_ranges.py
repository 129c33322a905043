"""Downloads that break, stall, lie, expire or change: what arrives is right all the same, or says why not."""

import threading
import time
from collections.abc import Mapping

import pytest

from runtime.shared.consumer.cancellation import Cancellation, Cancelled
from runtime.shared.contracts import EntryOutcome, ParkReason
from runtime.shared.export_api import FileRecord
from runtime.worker.fetch.errors import DownloadFailed, NoScratchSpace, NotTheArchive
from runtime.worker.fetch.guard import ForbiddenDownload
from runtime.worker.manifest.manifest import Manifest
from tests.unit.worker.conftest import World, zip_of
from tests.unit.worker.servers import ArchiveServer, Behaviour

NOISE = bytes((i * i * 7 + (i >> 7)) % 251 for i in range(400_000))
FILES = {"a.bin": NOISE, "b.bin": NOISE[::-1], "c.txt": b"hello " * 100}


@pytest.fixture
def ready(world: World) -> World:
    world.behaviour.body = zip_of(FILES, stored=True)
    world.seed(FILES)
    return world


def run(world: World, **changes: object) -> Manifest:
    settings = {"connections_per_archive": 1, **changes}
    manifest = world.processor(**settings).process(world.task(), Cancellation())
    assert isinstance(manifest, Manifest)
    for name, data in FILES.items():
        assert world.object(f"exports/{world.job}/{name}") == data, name
    return manifest


def test_one_connection_makes_one_sequential_request(ready: World) -> None:
    manifest = run(ready)
    assert [request.get("range", "") for request in ready.behaviour.requests] == [
        "bytes=-65557",
        f"bytes=0-{ready.behaviour.body.index(b'PK' + bytes([1, 2])) - 1}",
    ]
    assert all(request["accept-encoding"] == "identity" for request in ready.behaviour.requests)
    assert manifest.outcomes == {EntryOutcome.UPLOADED: 3}


def test_a_dropped_connection_goes_on_at_the_byte(ready: World) -> None:
    ready.behaviour.drop_after = [1 << 30, 100_000, 250_000]
    manifest = run(ready)
    ranges = [request["range"] for request in ready.behaviour.requests]
    assert [text.split("-")[0] for text in ranges[1:]] == ["bytes=0", "bytes=100000", "bytes=350000"]
    assert all(
        request["if-range"] == ready.behaviour.current_etag for request in ready.behaviour.requests[1:]
    )
    assert manifest.bytes_fetched <= len(ready.behaviour.body) + 65_557


def test_a_stalled_connection_is_ended_and_resumed(ready: World) -> None:
    ready.behaviour.stall_after = [1 << 30, 50_000]
    run(ready, stall_window_s=0.5)
    assert ready.behaviour.requests[2]["range"].startswith("bytes=50000-")


def test_a_server_without_ranges_is_spooled(ready: World) -> None:
    ready.behaviour.ranges = False
    manifest = run(ready)
    assert manifest.bytes_fetched == len(ready.behaviour.body)
    assert list(ready.scratch.iterdir()) == []


@pytest.mark.parametrize("lie", ["200", "shifted"])
def test_a_lying_server_is_spooled(ready: World, lie: str) -> None:
    def lie_from_now_on(start: int, stop: int) -> None:
        ready.behaviour.lie = lie

    ready.behaviour.on_range = lie_from_now_on
    run(ready)
    assert "range" not in ready.behaviour.requests[-1]


def test_a_body_of_unknown_length_is_spooled(ready: World) -> None:
    ready.behaviour.ranges = False
    ready.behaviour.chunked = True
    run(ready)


def test_a_broken_spool_download_starts_again(ready: World) -> None:
    ready.behaviour.ranges = False
    ready.behaviour.drop_after = [1 << 30, 1000]
    run(ready)


def test_the_spool_stays_inside_its_budget(ready: World) -> None:
    ready.behaviour.ranges = False
    processor = ready.processor(scratch_budget_bytes=1000)
    with pytest.raises(NoScratchSpace, match="bytes to spool, SCRATCH_BUDGET_BYTES"):
        processor.process(ready.task(), Cancellation())


def test_a_changed_archive_starts_over(ready: World) -> None:
    other = {name: data[1:] + b"!" for name, data in FILES.items()}
    opened: list[int] = []

    def swap(start: int, stop: int) -> None:
        opened.append(start)
        if len(opened) == 2:  # the directory is read, the payload is being asked for
            ready.behaviour.body = zip_of(other, stored=True)
            ready.seed(other)

    ready.behaviour.on_range = swap
    manifest = ready.processor(connections_per_archive=1).process(ready.task(), Cancellation())
    assert isinstance(manifest, Manifest)
    assert manifest.archive.etag == ready.behaviour.current_etag
    for name, data in other.items():
        assert ready.object(f"exports/{ready.job}/{name}") == data


def test_busy_answers_are_waited_out(ready: World) -> None:
    ready.behaviour.statuses = [
        (503, {"Retry-After": "0"}),
        (429, {"Retry-After": "Mon, 01 Jan 2024 00:00:00 GMT"}),
    ]
    run(ready)


def test_a_long_retry_after_goes_back_to_the_queue(ready: World) -> None:
    ready.behaviour.statuses = [(429, {"Retry-After": "120"})]
    with pytest.raises(DownloadFailed) as failure:
        ready.processor().process(ready.task(), Cancellation())
    assert failure.value.retry_after_s == 120


class Api:
    """Gives the download URL of the day; credentials for its own origin only."""

    def __init__(self, base: str, url: str) -> None:
        self.base = base
        self.url = url
        self.asked = 0

    def get_file(self, export_job_id: str, file_id: str) -> FileRecord:
        self.asked += 1
        return FileRecord(file_id=file_id, name="export.zip", download_url=self.url)

    def headers_for(self, url: str) -> Mapping[str, str]:
        return {"Authorization": "Bearer secret"} if url.startswith(self.base) else {}


def test_an_expired_url_is_replaced_by_a_fresh_one(ready: World) -> None:
    api = Api(ready.archives.base, "/fresh")

    def expire(start: int, stop: int) -> None:
        ready.behaviour.gone_paths = {"/download/file-1"}
        ready.behaviour.drop_after = [1 << 30, 5_000]

    ready.behaviour.on_range = expire
    run(ready, api=api)
    assert api.asked == 1
    assert [r["path"] for r in ready.behaviour.requests][-1] == "/fresh"


def test_a_url_refused_even_when_fresh_fails(ready: World) -> None:
    ready.behaviour.gone_paths = {"/download/file-1", "/fresh"}
    with pytest.raises(DownloadFailed, match="even to a fresh"):
        ready.processor(Api(ready.archives.base, "/fresh")).process(ready.task(), Cancellation())


def test_a_redirect_is_followed_without_the_token(ready: World) -> None:
    with ArchiveServer(Behaviour(body=ready.behaviour.body)) as elsewhere:
        ready.behaviour.redirect_to = f"{elsewhere.base}/x?sig=1"
        run(ready, api=Api(ready.archives.base, "/fresh"))
        assert all(request["authorization"] == "Bearer secret" for request in ready.behaviour.requests)
        assert elsewhere.behaviour.requests
        assert all("authorization" not in request for request in elsewhere.behaviour.requests)


@pytest.mark.parametrize(
    "target", ["http://169.254.170.2/credentials", "http://localhost:1/x", "file:///etc/passwd", "/again"]
)
def test_a_redirect_to_a_forbidden_place_is_not_followed(ready: World, target: str) -> None:
    ready.behaviour.redirect_to = target
    with pytest.raises(ForbiddenDownload):
        ready.processor().process(ready.task(), Cancellation())


def test_loopback_needs_leave(ready: World) -> None:
    with pytest.raises(ForbiddenDownload, match="not a public address"):
        ready.processor(download_allow_private_addresses=False).process(ready.task(), Cancellation())
    assert ready.behaviour.requests == []


def test_what_is_not_a_zip_may_come_right_later(ready: World) -> None:
    for body in (b"", b"<html>", NOISE):
        ready.behaviour.body = body
        with pytest.raises(NotTheArchive) as failure:
            ready.processor().process(ready.task(), Cancellation())
        assert failure.value.reason == ParkReason.NOT_A_ZIP


def test_cancelling_ends_a_stalled_download_at_once(ready: World) -> None:
    cancellation = Cancellation()
    ready.behaviour.stall_after = [1 << 30, 50_000]
    ready.behaviour.on_range = lambda start, stop: (
        threading.Timer(0.3, cancellation.set, ("stopping",)).start() if start == 0 else None
    )
    started = time.monotonic()
    with pytest.raises(Cancelled):
        ready.processor(stall_window_s=60, connections_per_archive=1).process(ready.task(), cancellation)
    assert time.monotonic() - started < 3
    assert ready.keys("manifests/") == []
